"""What all clients of a relay want together, kept up to date as each one changes its mind."""

from collections.abc import Iterable, Mapping

from kite_relay.domain.subscriptions import BY_RANK
from kite_relay.domain.ticks import Mode


class Wants:
    """Counts, per instrument, the clients that want each mode."""

    def __init__(self) -> None:
        self.union: dict[int, Mode] = {}
        """Every wanted instrument, in the highest mode that somebody wants."""
        self._counts: dict[int, list[int]] = {}

    def change(self, tokens: Iterable[int], before: Mapping[int, Mode], after: Mapping[int, Mode]) -> bool:
        """Move one client's wants for these instruments; tells whether the union changed."""
        changed = False
        for token in tokens:
            old, new = before.get(token), after.get(token)
            if old is not new:
                counts = self._counts.setdefault(token, [0, 0, 0])
                if old is not None:
                    counts[old.rank] -= 1
                if new is not None:
                    counts[new.rank] += 1
                changed |= self._settle(token, counts)
        return changed

    def _settle(self, token: int, counts: list[int]) -> bool:
        highest = next((rank for rank in (2, 1, 0) if counts[rank]), None)
        if highest is None:
            del self._counts[token]
            return self.union.pop(token, None) is not None
        mode = BY_RANK[highest]
        if self.union.get(token) is mode:
            return False
        self.union[token] = mode
        return True
