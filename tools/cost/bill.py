"""The arithmetic: every line is an amount, what of it is free for ever, and the price of the rest."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MINUTES = 30 * 24 * 60
"""Of a month of 30 days."""
GIGABYTE = 1024


@dataclass(frozen=True, slots=True)
class Traffic:
    """A month of one trader: a day's numbers are multiplied by 30.

    Args:
        logins: per day; each is three requests and one event.
        page_views: of the dashboard per day; each loads about twelve files and answers.
        polls: of the status API per day, by open dashboards, bots and monitors.
        request_seconds: how long a warm function works on a request.
        log_kilobytes: written per request, access log and function log together.
    """

    logins: int = 2
    page_views: int = 20
    polls: int = 1440
    request_seconds: float = 0.1
    log_kilobytes: float = 2.0

    @property
    def requests(self) -> int:
        """HTTP requests in a month."""
        return 30 * (3 * self.logins + 12 * self.page_views + self.polls)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill. `free` is what the always-free tier gives each month, not the first year's."""

    service: str
    amount: float
    unit: str
    arithmetic: str
    free: float
    price: float
    per: float

    @property
    def dollars(self) -> float:
        """What it costs."""
        return max(0.0, self.amount - self.free) / self.per * self.price


def bill(template: Mapping[str, Any], traffic: Traffic) -> list[Line]:
    """Write the bill of one stack."""
    looks = MINUTES // 2 + 3 * 30
    calls = traffic.requests + looks
    memory = template["Globals"]["Function"]["MemorySize"] / GIGABYTE
    return [*_computing(traffic, looks, calls, memory), *_keeping(template, traffic, looks, calls)]


def _computing(traffic: Traffic, looks: int, calls: int, memory: float) -> list[Line]:
    """What runs and what is sent."""
    seconds = f"{calls} x {traffic.request_seconds} s x {memory} GB"
    gigabytes = calls * traffic.request_seconds * memory
    polls = MINUTES * 60 // 20
    return [
        Line("API Gateway (HTTP API)", traffic.requests, "requests", "logins, pages, polls", 0, 1.05, 1e6),
        Line("Lambda requests", calls, "requests", f"{traffic.requests} over HTTP + {looks} looks", 1e6, 0.20, 1e6),
        Line("Lambda time", gigabytes, "GB-seconds", seconds, 400_000, 0.0000133334, 1),
        Line("EventBridge events", traffic.logins * 30, "events", f"{traffic.logins} logins x 30", 0, 1.00, 1e6),
        Line("EventBridge Scheduler", looks, "starts", "every 2 minutes + 3 a day", 14e6, 1.00, 1e6),
        Line("SQS", polls, "requests", "one long poll of 20 s after the other", 1e6, 0.40, 1e6),
    ]


def _keeping(template: Mapping[str, Any], traffic: Traffic, looks: int, calls: int) -> list[Line]:
    """What is kept and what is watched."""
    kinds = Counter(resource["Type"] for resource in template["Resources"].values())
    tables = [one["Properties"] for one in template["Resources"].values() if one["Type"] == "AWS::DynamoDB::Table"]
    units = sum(sum(table["ProvisionedThroughput"].values()) for table in tables)
    secrets = 30 * 3 * traffic.logins + looks // 10
    written = calls * traffic.log_kilobytes / GIGABYTE**2
    metrics = 4 + kinds["AWS::Logs::MetricFilter"]
    alarms, boards = kinds["AWS::CloudWatch::Alarm"], kinds["AWS::CloudWatch::Dashboard"]
    return [
        Line("DynamoDB capacity", units, "units", f"{len(tables)} table, read + write", 50, 0.54, 1),
        Line("SSM parameters", 6, "parameters", "standard tier", 10_000, 0, 1),
        Line("KMS (key aws/ssm)", secrets, "requests", "secrets read", 20_000, 0.03, 1e4),
        Line("CloudWatch alarms", alarms, "alarms", "in the template", 10, 0.10, 1),
        Line("CloudWatch metrics", metrics, "metrics", "4 by the reminder, the rest from logs", 10, 0.30, 1),
        Line("CloudWatch dashboards", boards, "dashboards", "in the template", 3, 3.00, 1),
        Line("CloudWatch Logs", written, "GB", f"{calls} x {traffic.log_kilobytes} KB", 5, 0.67, 1),
    ]


def render(lines: list[Line]) -> str:
    """Write the bill as a table."""
    rows = [
        f"| {one.service} | {one.amount:,.6g} {one.unit} | {one.arithmetic} | {one.free:,.0f} | "
        f"${one.price:.10g} / {one.per:,.0f} | ${one.dollars:.2f} |"
        for one in lines
    ]
    head = "| Service | A month | Why | Free for ever | Price | Cost |\n|---|---|---|---|---|---|"
    return "\n".join((head, *rows, f"| **Total** | | | | | **${sum(one.dollars for one in lines):.2f}** |")) + "\n"
