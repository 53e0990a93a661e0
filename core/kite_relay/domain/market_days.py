"""What is known of one date, whatever the segment: a session or none, why, and who says so."""

from dataclasses import dataclass
from datetime import date

from kite_relay.domain.market_data import WEEKDAYS, MarketData
from kite_relay.domain.market_overrides import Override


@dataclass(frozen=True, slots=True)
class Day:
    """What is known of one date.

    Args:
        trading: whether there is a session; None when the calendar does not know.
        kind: normal, weekend, holiday, ad_hoc, unknown, or what a special session is (muhurat, budget, drill, ...).
        reason: why, in words.
        source: who says so.
        confidence: how well sourced it is.
        holiday: the name of the closure or None.
        special: the name of the special session or None.
        times_known: False when there is a session whose times nobody published.
        override: what an operator declared for this date.
    """

    date: date
    trading: bool | None
    kind: str
    reason: str
    source: str
    confidence: str
    holiday: str | None = None
    special: str | None = None
    note: str | None = None
    times_known: bool = True
    override: Override | None = None


def know(data: MarketData, override: Override | None, day: date) -> Day:
    """Tell what is known of a date."""
    if override:
        return _declared(override)
    if not data.covers(day):
        reason = f"the market calendar covers {data.valid_from} to {data.valid_through} only"
        return Day(day, trading=None, kind="unknown", reason=reason, source="none", confidence="none")
    if special := data.specials.get(day):
        return Day(
            day,
            trading=True,
            kind=special.kind,
            reason=_reason(special.name, known=special.times_known),
            source=special.source,
            confidence=special.confidence,
            special=special.name,
            note=special.note,
            times_known=special.times_known,
        )
    if closure := data.closures.get(day):
        return Day(
            day,
            trading=False,
            kind=closure.kind,
            reason=closure.name,
            source=closure.source,
            confidence=closure.confidence,
            holiday=closure.name,
        )
    if day.weekday() >= WEEKDAYS:
        source = "no session on Saturday and Sunday, unless one is declared"
        return Day(day, trading=False, kind="weekend", reason=f"{day:%A}", source=source, confidence="two_or_more")
    regime = data.regime("cash_cas", day)
    return Day(
        day,
        trading=True,
        kind="normal",
        reason="an ordinary trading day",
        source=regime.source,
        confidence=regime.confidence,
    )


def _declared(override: Override) -> Day:
    return Day(
        override.date,
        trading=override.open,
        kind=override.kind,
        reason=_reason(override.name, known=override.times_known),
        source=f"declared by {override.author} at {override.at.isoformat()}",
        confidence="declared",
        holiday=None if override.open else override.name,
        special=override.name if override.open else None,
        times_known=override.times_known,
        override=override,
    )


def _reason(name: str, *, known: bool) -> str:
    return name if known else f"{name}: its times are not known"
