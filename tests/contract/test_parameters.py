"""The parameters' contract: the fake, SSM, and a `.env` file."""

from pathlib import Path

import pytest

from kite_relay.adapters.aws import make_client
from kite_relay.adapters.clock import SystemClock
from kite_relay.adapters.env_file import EnvFile, FileParameters
from kite_relay.adapters.ssm import SsmParameters
from kite_relay.domain.errors import ConfigurationError
from kite_relay.ports import Parameters, required
from tests.fakes import FakeParameters
from tests.fakes.canaries import canary


@pytest.fixture(params=["fake", "ssm", "file"])
def parameters(request: pytest.FixtureRequest, tmp_path: Path, unique: str) -> Parameters:
    """Make an empty place of each kind."""
    if request.param == "fake":
        return FakeParameters()
    if request.param == "file":
        return FileParameters(EnvFile(tmp_path / ".env", SystemClock(), lambda _: None))
    request.getfixturevalue("aws")
    return SsmParameters(make_client("ssm"), f"/{unique}/", lambda _: None)


def test_what_is_absent_is_none(parameters: Parameters) -> None:
    """Absence is an answer, not an error."""
    assert parameters.read("api_key") is None
    assert not parameters.exists("api_key")


@pytest.mark.parametrize(("name", "secret"), [("api_secret", True), ("relay_keys", False)])
def test_what_is_written_is_read(parameters: Parameters, name: str, *, secret: bool) -> None:
    """Secret or not, the value comes back whole, and every write has a greater version."""
    first = parameters.write(name, '{"keys": ["it\'s", "two"]}', secret=secret)
    second = parameters.write(name, "another value", secret=secret)
    found = parameters.read(name)
    assert found is not None
    assert (found.value, found.version) == ("another value", second)
    assert second > first
    assert parameters.exists(name)
    assert "another" not in repr(found)


def test_a_document_comes_back_whole(parameters: Parameters) -> None:
    """Overrides are JSON over several lines."""
    text = '{\n  "days": {"2026-11-24": "it\'s closed \\\\ \\"today\\""}\n}'
    parameters.write("market_overrides", text, secret=False)
    found = parameters.read("market_overrides")
    assert found is not None
    assert found.value == text


def test_settings_do_not_mix(parameters: Parameters) -> None:
    """Each name has its own value and version."""
    parameters.write("api_key", "key-one", secret=True)
    parameters.write("api_secret", canary("ApiSecret", 1), secret=True)
    assert parameters.write("api_secret", canary("ApiSecret", 2), secret=True) == 2
    assert required(parameters, "api_key") == "key-one"
    assert required(parameters, "api_secret") == canary("ApiSecret", 2)


def test_a_required_one_must_be_there(parameters: Parameters) -> None:
    """The error says which and what to do."""
    with pytest.raises(ConfigurationError, match=r"'api_key' is not set: run `kite-relay setup`"):
        required(parameters, "api_key")
