"""kill -9 at every labelled step, with real processes, moto's SSM, SQS and DynamoDB, and the simulator."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.fakes.worker_on_aws import CONVERGE_SECONDS, NAME, WORKER, Process, Stage, set_stage

CRASHING = Path(__file__).with_name("crashing_worker.py")
STEPS = ("received", "read", "dialled", "first_packet", "deleted")
GOOD_BEHIND_POISON, MOST_RECEIVES = 5.0, 3
pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(3600)]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Set the stage."""
    async with set_stage(tmp_path) as found:
        yield found


async def mortal(stage: Stage, step: str, generation: int) -> Process:
    """Start a worker that dies at a step of the generation after this one, and wait until it is live on this one."""
    worker = await stage.start(str(CRASHING), CRASH_AT=step, CRASH_GENERATION=str(generation + 1))
    await worker.until(step="first_packet", generation=generation)
    return worker


async def deaths(stage: Stage, step: str, count: int) -> list[float]:
    """Log in, let the live worker die at a step, begin another one; gives the seconds until each is live."""
    worker = await mortal(stage, step, stage.cloud.login(stage.sim.mint()["access_token"]))
    await stage.until_empty(stage.cloud.queue)
    seconds = []
    for _ in range(count):
        generation = stage.cloud.login(stage.sim.mint()["access_token"])
        assert await worker.died() == -9
        if step != "deleted":
            assert stage.cloud.count(stage.cloud.queue) == 1, "confirmed before it was done"
        began = time.monotonic()
        worker = await mortal(stage, step, generation)
        seconds.append(time.monotonic() - began)
        await stage.until_empty(stage.cloud.queue)
        assert stage.cloud.count(stage.cloud.letters) == 0
    code, ended = await worker.stop()
    assert (code, ended < 5.0) == (0, True)
    return seconds


@pytest.mark.promise(8)
@pytest.mark.parametrize("step", STEPS)
async def test_a_worker_killed_at_a_step_leaves_a_morning_that_converges(
    stage: Stage, step: str, measured: Callable[[str, object], None], at_scale: Callable[[int, int], int]
) -> None:
    """In the middle of a handover; the next start goes live on the token, and confirms the announcement at last."""
    count = at_scale(1, 20)
    longest = max(await deaths(stage, step, count))
    measured(f"seconds to converge after a death by kill -9 at '{step}', the longest of {count}", round(longest, 2))
    assert longest <= CONVERGE_SECONDS


@pytest.mark.promise(8)
async def test_poison_goes_to_the_dead_letter_queue_and_holds_nothing_up(
    stage: Stage, measured: Callable[[str, object], None], at_scale: Callable[[int, int], int]
) -> None:
    """Three receives, no more; the good one behind it is confirmed meanwhile."""
    stage.cloud.login(stage.sim.mint()["access_token"])
    worker = await stage.start(*WORKER)
    await worker.until(step="deleted")
    delays, poisons = [], at_scale(1, 20)
    for number in range(poisons):
        stage.cloud.send(f"poison {number}")
        generation = stage.cloud.login(stage.sim.mint()["access_token"])
        sent = time.monotonic()
        await worker.until(step="deleted", generation=generation)
        delays.append(time.monotonic() - sent)
    await stage.until_empty(stage.cloud.queue)
    assert stage.cloud.count(stage.cloud.letters) == poisons
    receives = [line["receives"] for line in worker.lines if line["event"] == "poison in the inbox"]
    measured("poison: most receives before the dead-letter queue", max(receives))
    measured("poison: longest delay of the good one behind it, s", round(max(delays), 2))
    assert len(receives) == poisons * MOST_RECEIVES
    assert max(receives) <= MOST_RECEIVES
    assert max(delays) <= GOOD_BEHIND_POISON


async def test_a_token_put_anew_after_a_delete_is_taken(stage: Stage) -> None:
    """Deleting the parameter starts its versions at 1 again: the worker is not stuck on the higher number."""
    for _ in range(3):
        stage.cloud.login(stage.sim.mint()["access_token"])
    worker = await stage.start(*WORKER)
    await worker.until(step="first_packet", generation=3)
    await stage.until_empty(stage.cloud.queue)
    stage.cloud.ssm.delete_parameter(Name=NAME)
    await asyncio.sleep(1.1)  # SSM's dates are whole seconds in moto
    assert stage.cloud.login(stage.sim.mint()["access_token"]) == 1
    await worker.until(step="first_packet", generation=1)


async def test_without_any_announcement_the_worker_finds_the_token_by_looking(stage: Stage) -> None:
    """On boot, and later by its timer."""
    stage.cloud.ssm.put_parameter(Name=NAME, Value=stage.sim.mint()["access_token"], Type="SecureString")
    worker = await stage.start(*WORKER, RECONCILE_SECONDS="2")
    await worker.until(step="first_packet", generation=1)
    token = stage.sim.mint()["access_token"]
    stage.cloud.ssm.put_parameter(Name=NAME, Value=token, Type="SecureString", Overwrite=True)
    await worker.until(step="first_packet", generation=2)
    assert token not in json.dumps(worker.lines)
