"""The block of ports can be moved, and a wrong word for it is told."""

import pytest

from kite_relay.domain.errors import ConfigurationError
from tools.ports import DEFAULT_BASE, port_base


@pytest.mark.parametrize(("word", "base"), [("", DEFAULT_BASE), ("4700", 4700)])
def test_the_block_can_be_moved(word: str, base: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one number."""
    monkeypatch.setenv("KITE_RELAY_PORT_BASE", word)
    assert port_base() == base


@pytest.mark.parametrize("word", ["abc", "99999", "80", "-1", "65530", "²"])
def test_a_wrong_base_is_told(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it may be."""
    monkeypatch.setenv("KITE_RELAY_PORT_BASE", word)
    with pytest.raises(ConfigurationError, match="from 1024 to 65525"):
        port_base()
