"""What the host sees of the worker: it lives, it is ready or says why not, and its metrics."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from worker.metrics import Metrics
from worker.web import Web


@dataclass
class Site:
    """The running pages, and what the worker behind them says."""

    root: str = ""
    metrics: Metrics = field(default_factory=Metrics)
    reasons: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    ages: dict[int, float] = field(default_factory=dict)

    async def get(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        """Ask for a page: its status, its type, its text."""
        async with ClientSession() as session, session.request(method, self.root + path) as answer:
            return answer.status, answer.headers["Content-Type"], await answer.text()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Serve on a free port."""
    found = Site()
    web = Web(
        "127.0.0.1",
        0,
        reasons=lambda: found.reasons,
        findings=lambda: found.findings,
        render=found.metrics.render,
        ages=lambda: found.ages,
    )
    found.root = f"http://127.0.0.1:{await web.start()}"
    yield found
    await web.stop()


async def test_it_lives_and_is_ready(site: Site) -> None:
    """All is well."""
    assert await site.get("/healthz") == (200, "application/json; charset=utf-8", '{"status": "ok"}')
    assert (await site.get("/readyz"))[::2] == (200, '{"status": "ready", "findings": []}')


async def test_not_ready_says_why_and_lives_on(site: Site) -> None:
    """A supervisor must not restart a worker that waits for the login: it lives, it is only not ready."""
    site.reasons.append({"code": "token_missing", "detail": "no access token is known: log in"})
    status, _, text = await site.get("/readyz")
    assert status == 503
    assert "token_missing" in text
    assert "log in" in text
    assert (await site.get("/healthz"))[0] == 200
    site.reasons.clear()
    assert (await site.get("/readyz"))[0] == 200


async def test_what_hurts_no_client_is_told_and_leaves_it_ready(site: Site) -> None:
    """Without the status board this is where an operator reads it."""
    site.findings.append({"code": "dynamodb_unreachable", "detail": "no answer for 10 seconds"})
    status, _, text = await site.get("/readyz")
    assert status == 200
    assert "dynamodb_unreachable" in text


async def test_metrics_are_what_prometheus_reads(site: Site) -> None:
    """Its own parser takes them, and they are read at each scrape."""
    site.metrics.token_generation.set(7)
    status, kind, text = await site.get("/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["kite_relay_token_generation"].samples[0].value == 7
    site.metrics.token_generation.set(8)
    assert "kite_relay_token_generation 8.0" in (await site.get("/metrics"))[2]


async def test_ages_are_told_without_prices(site: Site) -> None:
    """One number for each instrument."""
    site.ages = {256265: 1.26, 265: 0.0}
    assert (await site.get("/ages"))[2] == '{"256265": 1.3, "265": 0.0}'


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("POST", "/readyz", 405)])
async def test_there_is_nothing_else(site: Site, method: str, path: str, status: int) -> None:
    """Nothing can be told to the worker here."""
    assert (await site.get(path, method))[0] == status


async def test_processes_beside_each_other_take_the_next_free_port() -> None:
    """Relay processes of one machine share their settings; they have no ages of prices to tell."""

    def web(port: int) -> Web:
        return Web("127.0.0.1", port, reasons=list, findings=list, render=bytes, ports=16)

    first = web(0)
    port = await first.start()
    second = web(port)
    beside = await second.start()
    assert port < beside < port + 16
    site = Site(f"http://127.0.0.1:{beside}")
    assert (await site.get("/readyz"))[0] == 200
    assert (await site.get("/ages"))[0] == 404
    await first.stop()
    await second.stop()


async def test_a_port_that_another_program_has_is_an_error() -> None:
    """The worker's own pages have the one port that the host knows."""
    first = Web("127.0.0.1", 0, reasons=list, findings=list, render=bytes)
    taken = Web("127.0.0.1", await first.start(), reasons=list, findings=list, render=bytes)
    with pytest.raises(OSError, match="address already in use"):
        await taken.start()
    await taken.stop()
    await first.stop()
