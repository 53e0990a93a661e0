"""The circuit: a blip is none of anybody's business, the second failure is, and so is a call that takes too long."""

import asyncio
import threading

import pytest

from kite_relay.domain.errors import AccessRefusedError, StoreUnavailableError
from tests.fakes.trouble import FakeClock
from worker.circuit import PATIENCE_SECONDS, RESTS, Circuit


def fail(error: Exception) -> None:
    """Fail."""
    raise error


def failed(circuit: Circuit, error: Exception) -> None:
    """Make a call that fails."""
    with pytest.raises(type(error)):
        circuit.run(fail, error)


def test_the_second_failure_in_a_row_is_told_with_its_reason() -> None:
    """And an answer ends it."""
    clock = FakeClock()
    circuit = Circuit("ssm", clock)
    failed(circuit, StoreUnavailableError("time-out"))
    assert circuit.down is None
    clock.advance(RESTS[0] + 0.1)
    failed(circuit, AccessRefusedError("AWS answered ExpiredToken", "aws_key"))
    assert circuit.down is not None
    assert (circuit.down.code, circuit.down.detail) == ("aws_key", "AWS answered ExpiredToken")
    since = circuit.down.since
    with pytest.raises(StoreUnavailableError, match="it is asked again in 59 s"):
        circuit.run(str)
    clock.advance(RESTS[1] + 0.1)
    failed(circuit, StoreUnavailableError("time-out"))
    assert circuit.down is not None
    assert (circuit.down.code, circuit.down.since) == ("ssm_unreachable", since)
    clock.advance(RESTS[2] + 0.1)
    assert circuit.run(str) == ""
    assert circuit.down is None


async def test_of_two_calls_that_fail_together_one_is_the_second_try() -> None:
    """Two callers were under way when the service died: no third call follows within the minute."""
    clock = FakeClock()
    both = threading.Barrier(3)
    circuit = Circuit("ssm", clock)

    def fail_with_the_other() -> None:
        both.wait()
        raise StoreUnavailableError("time-out")

    calls = [asyncio.create_task(circuit.call(fail_with_the_other)) for _ in range(2)]
    await asyncio.to_thread(both.wait)
    assert all(
        isinstance(error, StoreUnavailableError) for error in await asyncio.gather(*calls, return_exceptions=True)
    )
    assert circuit.rest == pytest.approx(RESTS[1])


async def test_a_call_that_nobody_waits_for_any_more_still_counts() -> None:
    """Its thread hangs on: it is told once it is overdue, no second one joins it, and its late answer is told too."""
    clock = FakeClock()
    circuit = Circuit("ssm", clock)
    begun, answer = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        answer.wait()

    impatient = asyncio.create_task(circuit.call(hang))
    await asyncio.to_thread(begun.wait)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert circuit.down is None
    clock.advance(PATIENCE_SECONDS + 1)
    assert circuit.down is not None
    assert circuit.down.detail == "no answer for 10 seconds"
    with pytest.raises(StoreUnavailableError, match="has not answered the last call yet"):
        await circuit.call(str)
    answer.set()
    while "too slowly" not in circuit.down.detail:  # noqa: ASYNC110 - a thread tells it, not the loop
        await asyncio.sleep(0)
    assert await circuit.call(str) == ""
    assert circuit.down is None
