"""One machine's `.env` file: the settings (never the secrets) that stand in it, and what follows from them."""

from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from kite_relay.adapters import dotenv
from kite_relay.domain.errors import ConfigurationError
from tools.ports import port_base

LOCAL = "localhost"
RELAY_PORT = "4603"


def read_settings(path: Path, names: Collection[str]) -> dict[str, str]:
    """Read some of the settings that stand in the file.

    Raises:
        ConfigurationError: there is no such file, or it cannot be read; says what to do.
    """
    try:
        told = dotenv.parse(path.expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(f"{path}: {why}. `kite-relay setup --env-file {path}` writes it") from None
    return {name: value for name, value in told.items() if name in names and value}


def public_url(variables: Mapping[str, str], port: int | None = None) -> str:
    """Tell by which address browsers reach the pages: PUBLIC_URL, or this machine's own.

    Raises:
        ConfigurationError: PUBLIC_URL is no address.
    """
    url = variables.get("PUBLIC_URL", "").rstrip("/") or f"http://{LOCAL}:{port or port_base()}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        raise ConfigurationError(f"PUBLIC_URL: {url!r} is no address such as https://kite.example.com")
    return url


def relay_url(variables: Mapping[str, str], page: str) -> str:
    """Tell where the relay is: RELAY_URL, or beside a page of this machine; nothing when only a proxy would know."""
    beside = f"ws://{LOCAL}:{variables.get('RELAY_PORT') or RELAY_PORT}"
    return variables.get("RELAY_URL") or (beside if urlsplit(page).hostname == LOCAL else "")
