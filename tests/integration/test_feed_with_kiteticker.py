"""The feed with the official KiteTicker against the simulator: real sockets, real frames, counted."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCENARIOS = Path(__file__).with_name("feed_scenarios.py")
ROOT = Path(__file__).parents[2]


def play(name: str) -> dict[str, Any]:
    """Play one story in a process of its own."""
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(SCENARIOS), name], cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert result["live"]
    assert result["most_sockets"] <= 3
    return result


def test_ten_logins_lose_nothing_and_repeat_nothing() -> None:
    """Full packets, and each order update once."""
    result = play("moves")
    assert result["packets"] > 1000
    assert (result["lost"], result["duplicates"], result["gaps"]) == (0, 0, [])
    assert result["orders"] == result["distinct_orders"] == 10


def test_packets_without_time_or_number_pass_once_too() -> None:
    """Eight bytes each: only the order in which they come tells them apart."""
    result = play("index_packets")
    assert result["packets"] > 1000
    assert (result["lost"], result["duplicates"], result["gaps"]) == (0, 0, [])


def test_a_socket_killed_at_the_login_costs_a_gap_that_is_told() -> None:
    """Nothing can be done but dial at once: well under two seconds, and nothing comes twice."""
    result = play("killed")
    assert result["duplicates"] == 0
    assert len(result["gaps"]) == 3
    assert max(result["gaps"]) < 2.0


def test_seven_thousand_instruments_move_lane_by_lane() -> None:
    """All of them are restored; each lane pauses for one dial; an order update on three sockets passes once."""
    result = play("three_lanes")
    assert result["duplicates"] == 0
    assert len(result["gaps"]) == 3
    assert result["orders"] == 1


@pytest.mark.promise(10)
def test_a_client_that_leaves_frees_a_connection_and_nobody_misses_a_tick() -> None:
    """400 instruments on two connections end on one."""
    result = play("rebalance")
    assert result["sockets_before"] == 2
    assert result["carried"] == [400]
    assert (result["lost"], result["duplicates"], result["gaps"]) == (0, 0, [])


def test_instruments_leave_a_connection_only_when_the_other_one_delivers_them() -> None:
    """It answers a second late: until then nothing is unsubscribed, and not a tick is missed."""
    result = play("late_target")
    assert result["carried"] == [0, 200]
    assert result["moved"] == [200]
    assert result["packets"] > 200
    assert (result["lost"], result["duplicates"], result["gaps"]) == (0, 0, [])


@pytest.mark.promise(10)
def test_who_asks_for_more_than_kite_carries_is_refused_and_nobody_else_notices() -> None:
    """The official client at the relay reads why, and may ask for less; the ticks of another one flow on."""
    result = play("full_house")
    (refusal,) = result["clients"]["greedy"].pop("errors")
    assert refusal.startswith("limit: Kite carries at most 9000 instruments for one API key")
    assert result["clients"]["greedy"] == {"closes": 0, "lost": 0, "duplicates": 0}
    assert result["clients"]["steady"] == {"errors": [], "closes": 0, "lost": 0, "duplicates": 0}
    before, after = result["sockets"]
    assert before == after
    assert [instruments for _, instruments in after] == [3000, 3000, 3000]


def test_a_server_that_the_system_does_not_know_gets_no_token() -> None:
    """The official client would tell it all; the one whose certificate is known is dialled again and again."""
    result = play("certificates")
    assert result["deceived"] == 0
    assert (result["lost"], result["duplicates"], result["gaps"]) == (0, 0, [])


def test_a_half_open_socket_is_found_and_replaced() -> None:
    """With two seconds of patience here; five by default."""
    result = play("half_open")
    assert result["found_after"] < 4.0
    assert result["recovered_after"] < 6.0


def test_a_rejected_token_costs_one_dial_and_no_tick() -> None:
    """The old socket carries on; the next token is taken."""
    result = play("rejected")
    assert result["refused_dials"] == 1
    assert (result["lost"], result["duplicates"]) == (0, 0)


def test_malformed_frames_kill_nothing() -> None:
    """Only what breaks the WebSocket protocol itself costs the connection, and that is made anew."""
    kept = play("malformed")["kept"]
    assert {kind for kind, stayed in kept.items() if not stayed} <= {"utf8", "opcode"}
