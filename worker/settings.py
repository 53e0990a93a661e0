"""The worker's settings, from the environment. Every problem is told at once, with the name of its variable."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kite_relay.config import LOCAL_HOSTS, http_root
from kite_relay.domain.errors import ConfigurationError


class Settings(BaseSettings):
    """What a worker can be told. Names are those of the variables, in capitals."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, frozen=True)

    parameter_prefix: str = Field(default="/kite-relay", description="Where the parameters stand in SSM.")
    board_table: str = Field(default="", description="The DynamoDB table of the status board.")
    queue_url: str = Field(default="", description="The SQS queue of announcements.")
    env_file: Path | None = Field(
        default=None, description="One-machine mode: the .env file in place of SSM, SQS, DynamoDB."
    )
    kite_api_root: str = Field(default="https://api.kite.trade", description="Kite's REST root.")
    kite_ticker_root: str = Field(default="wss://ws.kite.trade", description="Kite's ticker root.")
    instruments: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("NSE:NIFTY 50", "NSE:NIFTY BANK", "BSE:SENSEX"),
        description="Instruments to hold always: EXCHANGE:SYMBOL,...",
    )
    relay_host: str = Field(default="127.0.0.1", description="Where the relay listens.")
    relay_port: int = Field(default=4603, ge=0, le=65535, description="The relay's port.")
    relay_window: float = Field(
        default=0.0, ge=0, le=1, description="Seconds for which ticks are gathered into one message."
    )
    web_host: str = Field(default="127.0.0.1", description="Where health and metrics are served.")
    web_port: int = Field(default=4604, ge=0, le=65535, description="The port of health and metrics.")
    redis_url: SecretStr | None = Field(
        default=None, description="Redis for more than one machine; empty: one process."
    )
    state_dir: Path = Field(default=Path("state"), description="Where the last prices are kept over a restart.")
    dashboard_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins whose pages may open the relay: https://...,..."
    )
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="The least level to log."
    )
    liveness_seconds: float = Field(default=5.0, gt=0, description="A socket without a byte for longer is dead.")
    reconcile_seconds: float = Field(default=60.0, gt=0, description="The store is asked at least this often.")
    heartbeat_seconds: float = Field(
        default=10.0, gt=0, description="How often the worker reports to the status board."
    )

    @field_validator("instruments", "dashboard_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("kite_api_root")
    @classmethod
    def _api(cls, value: str) -> str:
        return http_root(value)

    @field_validator("kite_ticker_root")
    @classmethod
    def _ticker(cls, value: str) -> str:
        parts = urlsplit(value)
        local = parts.scheme == "ws" and parts.hostname in LOCAL_HOSTS
        if not parts.hostname or not (parts.scheme == "wss" or local):
            raise ValueError(f"{value!r} is no wss:// address (ws:// only for this machine): the token travels there")
        return value

    @field_validator("instruments")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [name for name in value if not all(name.partition(":"))]
        if wrong:
            raise ValueError(f"write EXCHANGE:SYMBOL, not {', '.join(wrong)}")
        return value


def load() -> Settings:
    """Read the environment.

    Raises:
        ConfigurationError: every problem, by the name of its variable.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()]
        raise ConfigurationError("the environment is not right: " + "; ".join(problems)) from None
    missing = [name for name in ("board_table", "queue_url") if not getattr(settings, name)]
    if settings.env_file is None and missing:
        names = " and ".join(name.upper() for name in missing)
        raise ConfigurationError(f"{names} must be set (or ENV_FILE, to run on one machine without AWS)")
    return settings
