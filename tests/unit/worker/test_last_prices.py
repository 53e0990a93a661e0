"""Prices outlive a restart and a week-end with their true age, and a bad disk costs the memory of prices only."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.trouble import FakeClock
from worker.last_prices import KEEP_SECONDS, LastPrices
from worker.state import StateFolder

NIFTY, INFY = 256265, 408065
WEEK_END = timedelta(days=2, hours=17, minutes=35).total_seconds()
"""From Friday's 15:40 to Monday's 09:15."""


def packet(token: int, price: int) -> bytes:
    """Make a packet."""
    return token.to_bytes(4) + price.to_bytes(4)


def saved(folder: Path, clock: FakeClock, latest: dict[int, bytes]) -> LastPrices:
    """Save what a bus holds."""
    prices = LastPrices(StateFolder(folder, clock), latest, clock)
    prices.write(prices.snapshot())
    return prices


def restarted(folder: Path, clock: FakeClock) -> tuple[LastPrices, dict[int, bytes], int]:
    """Begin anew, as another process would: with nothing but the file."""
    latest: dict[int, bytes] = {}
    prices = LastPrices(StateFolder(folder, clock), latest, clock)
    return prices, latest, prices.restore()


def test_prices_outlive_a_week_end_with_their_age(tmp_path: Path) -> None:
    """On Monday Friday's price is there, and nobody can take it for a new one."""
    clock = FakeClock()
    saved(tmp_path / "state", clock, {NIFTY: packet(NIFTY, 2_612_345), INFY: packet(INFY, 150_000)})
    clock.advance(WEEK_END)
    prices, latest, found = restarted(tmp_path / "state", clock)
    assert found == 2
    assert prices.ages() == {NIFTY: WEEK_END, INFY: WEEK_END}
    assert latest == {}, "the bus is given what is asked for, and nothing else"
    prices.recall([NIFTY, 999])
    assert latest == {NIFTY: packet(NIFTY, 2_612_345)}


def test_a_newer_packet_is_younger_and_is_not_replaced(tmp_path: Path) -> None:
    """What came after the restart wins over the file; its age begins when it came."""
    clock = FakeClock()
    saved(tmp_path, clock, {NIFTY: packet(NIFTY, 1), INFY: packet(INFY, 1)})
    clock.advance(60)
    prices, latest, _ = restarted(tmp_path, clock)
    latest[NIFTY] = packet(NIFTY, 2)
    prices.recall([NIFTY])
    prices.look()
    clock.advance(5)
    prices.look()
    assert latest == {NIFTY: packet(NIFTY, 2)}
    assert prices.ages() == {NIFTY: 5, INFY: 65}


def test_what_nobody_wants_is_forgotten_after_two_weeks(tmp_path: Path) -> None:
    """Contracts expire: the file must not grow for ever. What is still wanted stays, however old."""
    clock = FakeClock()
    latest = {NIFTY: packet(NIFTY, 1), INFY: packet(INFY, 1)}
    prices = saved(tmp_path, clock, latest)
    del latest[INFY]
    clock.advance(KEEP_SECONDS + 1)
    prices.write(prices.snapshot())
    again, _, found = restarted(tmp_path, clock)
    assert (found, list(again.ages())) == (1, [NIFTY])


def test_an_age_is_never_negative(tmp_path: Path) -> None:
    """The wall clock may be set back."""
    clock = FakeClock()
    prices = saved(tmp_path, clock, {NIFTY: packet(NIFTY, 1)})
    clock.step_wall(-3600)
    assert prices.ages() == {NIFTY: 0.0}


def damage(whole: bytes) -> dict[str, bytes]:
    """List ways in which a file can be broken."""
    return {
        "empty": b"",
        "another file": b"\x7fELF" + whole,
        "cut in a packet": whole[:-3],
        "cut in a head": whole[: -8 - 5],
        "another token": whole[:-8] + b"\xff" + whole[-7:],
        "a packet too short": whole[:-10] + (2).to_bytes(2) + whole[-8:-6],
    }


@pytest.mark.parametrize("how", damage(bytes(50)))
def test_a_broken_file_is_a_start_without(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worker starts, says so, and the next save makes the file good."""
    clock = FakeClock()
    saved(tmp_path, clock, {NIFTY: packet(NIFTY, 1)})
    file = tmp_path / "last_packets"
    file.write_bytes(damage(file.read_bytes())[how])
    prices, _, found = restarted(tmp_path, clock)
    assert (found, dict(prices.ages())) == (0, {})
    assert "the last prices are broken" in caplog.text + capsys.readouterr().out
    saved(tmp_path, clock, {NIFTY: packet(NIFTY, 2)})
    assert restarted(tmp_path, clock)[2] == 1


def test_no_file_is_no_trouble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first start of all has nothing to complain of."""
    assert restarted(tmp_path / "never", FakeClock())[2] == 0
    assert "could not" not in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_costs_the_memory_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file stands where the folder should be, which stops root too: a warning, and the prices in memory stay."""
    blocked = tmp_path / "state"
    blocked.write_text("not a folder")
    prices = saved(blocked, FakeClock(), {NIFTY: packet(NIFTY, 1)})
    assert "the state was not kept" in caplog.text + capsys.readouterr().out
    assert prices.ages() == {NIFTY: 0}
    assert blocked.read_text() == "not a folder"


def test_a_full_disk_leaves_the_last_good_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is replaced whole or not at all, and the half-written one is taken away."""
    clock = FakeClock()
    saved(tmp_path, clock, {NIFTY: packet(NIFTY, 1)})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kite_relay.adapters.files.os.fsync", full)
    saved(tmp_path, clock, {NIFTY: packet(NIFTY, 2), INFY: packet(INFY, 2)})
    assert [path.name for path in tmp_path.iterdir()] == ["last_packets"]
    assert restarted(tmp_path, clock)[2] == 1
