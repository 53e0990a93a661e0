"""Alert rules, dashboards, alarms and documents refer to metrics that exist, and every metric is documented."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.decode import cfn_yaml

from kite_relay.adapters.calendar import load_calendar
from tests.policies import Template
from worker.collectors import MarketCollector, RelayCollector
from worker.metrics import Metrics
from worker.relay import Stats

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/metrics.md").read_text()
NAME = re.compile(r"\bkite_relay_[a-z_]+")
SUFFIXES = ("_bucket", "_count", "_sum")
OURS = {"HeartbeatMissing", "TokenNeeded", "CalendarDaysLeft", "NotificationFailures", "StateCheckFailures"}
FROM_LOGS = {"LoginErrors": "LoginLogs", "StatusErrors": "StatusLogs"}
PROMQL_FUNCTIONS = {"time", "rate", "increase", "histogram_quantile", "max", "sum", "abs", "on", "by", "and"}


def stats() -> Stats:
    """Give the relay's counters with something in each."""
    found = Stats()
    found.closes[4008], found.refused[403], found.conflated, found.fanouts = 2, 3, 5, 7
    return found


def registry(now: datetime = datetime(2026, 11, 25, 5, tzinfo=UTC)) -> Any:
    """Give what the worker exposes."""
    found = Metrics().registry
    found.register(RelayCollector(stats(), lambda: [{"connections": 2}, {"connections": 1}]))
    found.register(MarketCollector(load_calendar, lambda: now))
    return found


def exposed() -> set[str]:
    """List the names as a query writes them: counters with `_total`, infos with `_info`."""
    tails = {"counter": "_total", "info": "_info"}
    return {family.name + tails.get(family.type, "") for family in registry().collect()}


def asked(text: str) -> set[str]:
    """List the metrics that a text names, histograms and summaries by their own name."""
    known = exposed()
    names = set(NAME.findall(text))
    return {
        name if name in known else next((name.removesuffix(tail) for tail in SUFFIXES if name.endswith(tail)), name)
        for name in names
    }


def rules() -> list[dict[str, Any]]:
    """Read the alert rules."""
    document = yaml.safe_load((ROOT / "infra/prometheus/alerts.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Read the dashboard's panels."""
    found: list[dict[str, Any]] = json.loads((ROOT / "infra/grafana/dashboard.json").read_text())["panels"]
    return found


def expressions() -> list[str]:
    """List every PromQL expression of ours."""
    return [rule["expr"] for rule in rules()] + [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_asks_for_metrics_that_exist(expression: str) -> None:
    """And is PromQL as far as brackets and functions go."""
    assert asked(expression) <= exposed()
    assert asked(expression) or expression.startswith("up{")
    for opening, closing in ("()", "[]", "{}"):
        assert expression.count(opening) == expression.count(closing)
    assert set(re.findall(r"\b([a-z_]+)\s*\(", expression)) <= PROMQL_FUNCTIONS


@pytest.mark.parametrize("expression", [one for one in expressions() if "increase(" in one])
def test_what_may_increase_is_there_before_it_does(expression: str) -> None:
    """Prometheus sees no increase in a series that begins with 1: a first rejected token would ring nowhere."""
    fresh = Metrics().registry
    fresh.register(RelayCollector(Stats(), list))
    shown = [sample for family in fresh.collect() for sample in family.samples]
    for name, matchers in re.findall(r"increase\((\w+)(?:\{([^}]*)\})?\[", expression):
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', matchers))
        assert [one.value for one in shown if one.name == name and wanted.items() <= one.labels.items()], expression


def test_every_metric_is_documented_and_shown() -> None:
    """The document names what exists and nothing else; the dashboard shows all of it."""
    assert asked(DOCUMENT) == exposed()
    assert asked(" ".join(target["expr"] for panel in panels() for target in panel["targets"])) == exposed()


def test_the_dashboards_table_of_trouble_can_read_every_function() -> None:
    """It asks for the field `level`: the core's lines, which Powertools does not write, Lambda must put into JSON."""
    every = cfn_yaml.load(str(ROOT / "template.yaml"))["Globals"]["Function"]["LoggingConfig"]
    for function in Template().of_type("AWS::Serverless::Function").values():
        assert (every | function["Properties"]["LoggingConfig"])["LogFormat"] == "JSON"


def test_every_rule_says_what_to_do() -> None:
    """A name of ours, a severity, and words."""
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        assert re.fullmatch(r"\d+[sm]", rule["for"])


def test_the_scrape_goes_where_the_worker_serves() -> None:
    """The fixed port, and the rule file beside it."""
    config = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yaml").read_text())
    assert config["scrape_configs"][0]["static_configs"][0]["targets"] == ["127.0.0.1:4604"]
    assert all((ROOT / "infra/prometheus" / name).is_file() for name in config["rule_files"])


def test_panels_do_not_overlap() -> None:
    """24 columns, each cell once."""
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels())
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def value(name: str, labels: dict[str, str] | None = None, now: datetime | None = None) -> float | None:
    """Read one sample."""
    found: float | None = (registry(now) if now else registry()).get_sample_value(name, labels or {})
    return found


def test_the_relays_counts_are_shown() -> None:
    """Value by value."""
    assert value("kite_relay_clients") == 3
    assert value("kite_relay_client_closes_total", {"code": "4008"}) == 2
    assert value("kite_relay_client_refusals_total", {"status": "403"}) == 3
    assert value("kite_relay_conflated_ticks_total") == 5
    assert value("kite_relay_relay_fanout_seconds_count") == 7


def test_the_market_is_live_by_segment() -> None:
    """15:20 IST: a share without the auction and derivatives trade, one with it does not; on a holiday none does."""
    auction = datetime(2026, 11, 25, 9, 50, tzinfo=UTC)
    live = {
        name: value("kite_relay_market_live", {"segment": name}, auction)
        for name in ("cash", "cash_cas", "derivatives")
    }
    assert live == {"cash": 1, "cash_cas": 0, "derivatives": 1}
    assert value("kite_relay_market_live", {"segment": "cash"}, datetime(2026, 11, 24, 5, tzinfo=UTC)) == 0


def test_the_templates_alarms_watch_metrics_that_exist() -> None:
    """Ours by name and dimension; all speak to the topic, all are on the dashboard and in the document."""
    template = Template()
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    (dashboard,) = template.of_type("AWS::CloudWatch::Dashboard").values()
    body = dashboard["Properties"]["DashboardBody"]["Fn::Sub"]
    json.loads(body)
    watched = set()
    for alarm in alarms.values():
        properties = template.resolve(alarm["Properties"])
        short = properties["AlarmName"].removeprefix("kite-relay-")
        assert f":alarm:${{AWS::StackName}}-{short}" in body
        assert f"`{short}`" in DOCUMENT
        assert properties["AlarmActions"] == ["Alerts"]
        if properties["Namespace"] == "kite-relay":
            assert properties["Dimensions"] == [{"Name": "stack", "Value": "kite-relay"}]
            watched.add(properties["MetricName"])
    assert watched == OURS
    assert all(f"`{name}`" in DOCUMENT for name in OURS)
    assert {alarm["Properties"]["TreatMissingData"] for alarm in alarms.values()} == {"breaching", "notBreaching"}
    assert alarms["HeartbeatAlarm"]["Properties"]["TreatMissingData"] == "breaching"


def test_a_failure_that_a_page_tells_rings_like_a_crash() -> None:
    """The two functions that answer strangers catch whatever happens: their logs are counted, each by its own alarm."""
    template = Template()
    filters = template.of_type("AWS::Logs::MetricFilter")
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    for name, logs in FROM_LOGS.items():
        counted = template.resolve(filters[f"{name}Metric"]["Properties"])
        assert counted["LogGroupName"] == logs
        assert '$.level = "ERROR"' in counted["FilterPattern"]
        assert '($.type = "platform.report") && ($.record.status != "success")' in counted["FilterPattern"]
        (made,) = counted["MetricTransformations"]
        alarm = template.resolve(alarms[f"{name}Alarm"]["Properties"])
        assert (alarm["Namespace"], alarm["MetricName"]) == (made["MetricNamespace"], made["MetricName"])
        assert made["MetricName"] == name
        assert "Dimensions" not in made
        assert "Dimensions" not in alarm
        assert f"`{name}`" in DOCUMENT


def test_the_state_checks_are_counted_from_words_that_the_login_writes() -> None:
    """The filter's refusals are the domain's, and a state that only expired is none of them."""
    from kite_relay.domain.login import Refusal  # noqa: PLC0415 - only here

    pattern = Template().of_type("AWS::Logs::MetricFilter")["StateCheckMetric"]["Properties"]["FilterPattern"]
    assert set(re.findall(r'refusal = "(\w+)"', pattern)) == {it.value for it in Refusal} - {"expired"}
    assert '$.message = "login"' in pattern
    assert 'self._log.info("login"' in (ROOT / "functions/login_callback/routes.py").read_text()


def test_the_reminders_schedules_keep_indias_time() -> None:
    """08:00, 08:45, 09:05 in Asia/Kolkata, and the look between them."""
    schedules = [it["Properties"] for it in Template().of_type("AWS::Scheduler::Schedule").values()]
    assert {it["ScheduleExpression"] for it in schedules} == {
        "cron(0 8 * * ? *)",
        "cron(45 8 * * ? *)",
        "cron(5 9 * * ? *)",
        "rate(2 minutes)",
    }
    assert {it["ScheduleExpressionTimezone"] for it in schedules} == {"Asia/Kolkata"}
