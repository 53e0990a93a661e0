"""What the worker reports of itself becomes findings that say what to do, and explain what follows from them."""

from datetime import timedelta
from typing import Any

import pytest

from kite_relay.domain.token import TokenStamp
from tests.fakes.status_api import StatusApi
from tests.fakes.world import World


@pytest.fixture
def world() -> World:
    """Give a good trading morning."""
    world = World("2026-11-27 10:00")
    world.live()
    return world


def told(world: World) -> dict[str, dict[str, Any]]:
    """Ask for the findings, by code."""
    api = StatusApi(world)
    api.log_in()
    return {each["code"]: each for each in api.owner("/api/health/detailed").json["findings"]}


def unseen(world: World, **age: float) -> None:
    """Let a token stand in the store that the worker has not taken."""
    world.store.stamp = TokenStamp(8, world.clock.now() - timedelta(**age))


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ("aws_key", "kite-relay rotate"),
        ("aws_denied", "make deploy"),
        ("aws_missing", "QUEUE_URL"),
        ("ssm_unreachable", "network"),
    ],
)
def test_a_worker_that_cannot_read_the_store_explains_why_it_has_not_taken_the_token(
    world: World, code: str, fix: str
) -> None:
    """The reason is shown with what AWS said; that the token was not taken follows from it."""
    unseen(world, minutes=5)
    world.beat(findings=[{"code": code, "since": world.clock.now().isoformat(), "detail": "AWS answered so and so"}])
    found = told(world)
    assert "AWS answered so and so" in found[code]["title"]
    assert fix in found[code]["fix"]
    assert "token_not_picked_up" in found[code]["hides"]
    assert "token_not_picked_up" not in found


def test_a_worker_that_looks_elsewhere_is_told_apart_from_one_that_does_not_look(world: World) -> None:
    """A wrong prefix: it asks, and finds nothing. Just after a login that is not said: it may look any moment."""
    absent = [{"code": "token_absent", "since": world.clock.now().isoformat(), "detail": "/other/access_token"}]
    world.beat(findings=absent)
    unseen(world, seconds=40)
    assert "token_on_its_way" in told(world)
    unseen(world, minutes=2)
    found = told(world)
    assert "/other/access_token" in found["token_absent"]["title"]
    assert "PARAMETER_PREFIX" in found["token_absent"]["fix"]
    assert "token_not_picked_up" not in found


def test_before_the_first_login_an_absent_token_is_no_fault_of_the_worker(world: World) -> None:
    """There is none, and that is what is said."""
    world.store.stamp = None
    world.beat(findings=[{"code": "token_absent", "since": None, "detail": "/kite-relay/access_token"}])
    assert "token_missing" in told(world)
    assert "token_absent" not in told(world)


def test_a_parameter_made_anew_is_calm_until_it_lasts(world: World) -> None:
    """The worker takes it by itself; only one that does not within two minutes needs a hand."""
    world.store.stamp = TokenStamp(1, world.clock.now() - timedelta(seconds=20))
    found = told(world)["generation_reset"]
    assert (found["severity"], found["fix"][:13]) == ("warning", "Nothing to do")
    world.store.stamp = TokenStamp(1, world.clock.now() - timedelta(minutes=3))
    found = told(world)["generation_reset"]
    assert (found["severity"], found["fix"][:18]) == ("error", "Restart the worker")


@pytest.mark.parametrize(("skew", "severity"), [(1.0, None), (-5.0, "warning"), (45.0, "error")])
def test_the_workers_clock_is_judged_by_what_it_measured(world: World, skew: float, severity: str | None) -> None:
    """Its own words for it are the same finding, not a second one."""
    world.beat(
        clock_skew_seconds=skew, findings=[{"code": "clock_skew", "since": None, "detail": "x"}] if severity else []
    )
    assert told(world).get("clock_skew", {}).get("severity") == severity


def test_what_hurts_nobody_now_is_a_warning_with_a_cure(world: World) -> None:
    """A state folder that cannot be written, and a Redis that is away."""
    finding = {"code": "state_unwritable", "since": None, "detail": "/var/lib/kite-relay: No space left on device"}
    world.beat(redis="unreachable", findings=[finding])
    found = told(world)
    assert "No space left on device" in found["state_unwritable"]["title"]
    assert found["state_unwritable"]["severity"] == "warning"
    assert found["redis_unreachable"]["severity"] == "error"
