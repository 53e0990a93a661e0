"""The whole way of a token, from the callback's `PutParameter` to the first tick relayed, cut into legs."""

from collections.abc import Mapping, Sequence

from tools.devstack.recorder import Call

TOKEN, KEY = "/access_token", "/api_key"


def legs(
    calls: Sequence[Call], worker: str | None, stages: Mapping[str, float], relayed_at: float | None
) -> dict[str, float]:
    """Cut the way into milliseconds that follow one another.

    Args:
        calls: every call to AWS since shortly before the login.
        worker: the worker's access key.
        stages: what the timeline says of the new generation, in epoch seconds.
        relayed_at: when a client had the first tick of the new token; None where it cannot tell, as the old token's
            ticks flow on.
    """
    put = next(call for call in calls if call.action == "ssm:PutParameter" and call.resources[0].endswith(TOKEN))
    its = [call for call in calls if call.access_key == worker and put.began < call.ended <= stages["received"]]
    reads = [call for call in its if call.action == "ssm:GetParameter" and call.resources[0].endswith((TOKEN, KEY))]
    first = reads[0].began  # it may be the minute's own look, with no announcement before it
    received = max((c.ended for c in its if c.action == "sqs:ReceiveMessage" and c.ended <= first), default=first)
    reading = sum(call.ended - call.began for call in reads)
    found = {
        "aws_put_and_announce_ms": received - put.began,  # the announcement may come before the answer to the put
        "aws_read_ms": reading,
        "ours_read_ms": stages["received"] - received - reading,
        "ours_dial_ms": stages["dialled"] - stages["received"],
        "dial_to_first_tick_ms": stages["first_tick"] - stages["dialled"],
    }
    if relayed_at is not None:
        found["ours_relay_ms"] = relayed_at - stages["first_tick"]
    return {name: round(seconds * 1000, 2) for name, seconds in found.items()}
