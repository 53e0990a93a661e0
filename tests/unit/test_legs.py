"""The legs of a token's way, from calls and a timeline that the test writes."""

import pytest

from tools.devstack.legs import legs
from tools.devstack.recorder import Call

TOKEN = "arn:aws:ssm:ap-south-1:000000000000:parameter/kite-relay/access_token"
STAGES = {"received": 10.100, "dialled": 10.101, "first_tick": 10.151}


def call(who: str, action: str, resource: str, began: float, ended: float) -> Call:
    """Write down one call."""
    return Call(who, action, (resource,), began=began, ended=ended)


CALLS = [
    call("worker", "ssm:GetParameter", TOKEN, 9.0, 9.01),  # the minute's look, before the login
    call("login", "ssm:PutParameter", TOKEN, 10.0, 10.05),
    call("worker", "sqs:ReceiveMessage", "queue", 8.0, 10.03),  # answered before the put was
    call("worker", "ssm:GetParameter", TOKEN, 10.04, 10.06),
    call("status", "ssm:GetParameter", TOKEN, 10.04, 10.08),
    call("worker", "ssm:GetParameter", TOKEN, 10.07, 10.09),
    call("worker", "sqs:ReceiveMessage", "queue", 10.03, 30.03),
]


@pytest.mark.parametrize(("relayed_at", "relay"), [(None, {}), (10.153, {"ours_relay_ms": 2.0})])
def test_the_legs_follow_one_another(relayed_at: float | None, relay: dict[str, float]) -> None:
    """Together they are the whole way; nobody else's calls count, and none from before the login."""
    found = legs(CALLS, "worker", STAGES, relayed_at)
    assert found == {
        "aws_put_and_announce_ms": 30.0,
        "aws_read_ms": 40.0,
        "ours_read_ms": 30.0,
        "ours_dial_ms": 1.0,
        "dial_to_first_tick_ms": 50.0,
        **relay,
    }
    assert sum(found.values()) == pytest.approx(((relayed_at or STAGES["first_tick"]) - 10.0) * 1000)
