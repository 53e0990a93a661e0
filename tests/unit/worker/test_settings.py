"""The worker's settings: read from the environment, and every problem told at once, with what to do."""

import os
from pathlib import Path

import pytest

from kite_relay.domain.errors import ConfigurationError
from worker.settings import Settings, load

ENOUGH = {"BOARD_TABLE": "board", "QUEUE_URL": "https://sqs.example/queue"}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give an environment with nothing of ours in it."""
    for name in os.environ:
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    return monkeypatch


def told(given: pytest.MonkeyPatch, variables: dict[str, str]) -> Settings:
    """Read the settings."""
    for name, value in variables.items():
        given.setenv(name, value)
    return load()


def test_the_defaults_are_the_real_kite_on_the_loopback(given: pytest.MonkeyPatch) -> None:
    """Two variables are enough, and nothing listens to the world unless it is told to; an empty one is none."""
    settings = told(given, {**ENOUGH, "RELAY_PORT": "", "REDIS_URL": ""})
    assert (settings.kite_api_root, settings.kite_ticker_root) == ("https://api.kite.trade", "wss://ws.kite.trade")
    assert (settings.relay_host, settings.web_host, settings.relay_port) == ("127.0.0.1", "127.0.0.1", 4603)
    assert settings.instruments == ("NSE:NIFTY 50", "NSE:NIFTY BANK", "BSE:SENSEX")
    assert settings.redis_url is None


def test_lists_are_split_at_commas(given: pytest.MonkeyPatch) -> None:
    """Spaces around a name are forgiven, those within it belong to it."""
    settings = told(given, {**ENOUGH, "INSTRUMENTS": " NSE:NIFTY 50 ,NSE:INFY,", "DASHBOARD_ORIGINS": "https://a"})
    assert settings.instruments == ("NSE:NIFTY 50", "NSE:INFY")
    assert settings.dashboard_origins == ("https://a",)


def test_every_problem_is_told_at_once_by_its_variable(given: pytest.MonkeyPatch) -> None:
    """One look mends them all."""
    wrong = {
        "INSTRUMENTS": "INFY,NSE:INFY,:X",
        "RELAY_PORT": "99999",
        "WEB_PORT": "x",
        "LOG_LEVEL": "LOUD",
        "KITE_API_ROOT": "http://api.kite.trade",
        "KITE_TICKER_ROOT": "ws://ws.kite.trade",
        "HEARTBEAT_SECONDS": "0",
    }
    with pytest.raises(ConfigurationError) as error:
        told(given, {**ENOUGH, **wrong})
    assert all(f"{name}: " in str(error.value) for name in wrong)
    assert "write EXCHANGE:SYMBOL, not INFY, :X" in str(error.value)


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({}, "BOARD_TABLE and QUEUE_URL must be set"),
        ({"BOARD_TABLE": "board"}, "QUEUE_URL must be set"),
        ({"QUEUE_URL": "https://sqs.example/queue"}, "BOARD_TABLE must be set"),
    ],
)
def test_what_aws_needs_is_named(given: pytest.MonkeyPatch, variables: dict[str, str], names: str) -> None:
    """The other way to run is named too."""
    with pytest.raises(ConfigurationError, match=names + r" \(or ENV_FILE, to run on one machine without AWS\)"):
        told(given, variables)


def test_one_machine_needs_no_aws(given: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file stands in place of it."""
    assert told(given, {"ENV_FILE": str(tmp_path / ".env")}).env_file == tmp_path / ".env"


def test_the_password_of_redis_is_not_shown(given: pytest.MonkeyPatch) -> None:
    """Neither by the settings nor by an error about another one."""
    secret = {**ENOUGH, "REDIS_URL": "redis://:canary-0451@redis/0"}
    assert "canary" not in repr(told(given, secret))
    with pytest.raises(ConfigurationError) as error:
        told(given, {"RELAY_PORT": "canary-0451"})
    assert "canary" not in str(error.value)
