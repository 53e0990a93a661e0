"""The doctor over AWS's own answers (moto's): each thing that can be wrong there has its name and its fix."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from moto import settings

from kite_relay import __version__
from kite_relay.adapters.aws import make_client
from kite_relay.config import status_deployable
from kite_relay.domain.records import Heartbeat
from kite_relay.domain.status_market import MarketFacts
from kite_relay.usecases.publish_token import publish_token
from tests.integration.aws_and_kite import NAME, Place, aws_and_kite
from tools.cli import checks, operator, place
from tools.cli.checks import Result, examine
from tools.cli.patient import Answer, Patient, ask

PAGE = "https://abc123.execute-api.ap-south-1.amazonaws.com"


class Ward:
    """A stack in AWS with everything in good health."""

    def __init__(self, behind: Place, environment: pytest.MonkeyPatch) -> None:
        self.behind = behind
        behind.make()
        behind.kite("calm")
        self.environment = environment
        self.page_version = __version__
        self.dead = str(behind.sqs.create_queue(QueueName="dead")["QueueUrl"])
        environment.setenv("QUEUE_URL", behind.queue)
        environment.setenv("DEAD_LETTERS_URL", self.dead)
        environment.setenv("STATUS_URL", PAGE)
        self._log_in()
        self.beat()

    def _log_in(self) -> None:
        ports = operator.wire()
        token = self.behind.kite("mint")["access_token"]
        publish_token(ports, token, user_id="AB1234", minted_at=ports.clock.now(), source="cli")
        self.behind.announced()

    def beat(self, **changes: Any) -> None:
        """Let the worker tell of itself."""
        told = {"heartbeat_at": datetime.now(UTC), "version": __version__, "generation": self.behind.version()}
        item = Heartbeat(**{**told, "connected": True, **changes}).to_item()
        status_deployable().board.put(Heartbeat.KEY, item)

    def _ask(self, url: str) -> Answer:
        """Answer for the page and for what is outside this machine."""
        query = urlencode({"v": "3", "api_key": "simulatorkey"})
        return {
            f"{PAGE}/login": Answer(302, {"location": f"https://kite.zerodha.com/connect/login?{query}"}, ""),
            f"{PAGE}/api/health": Answer(200, {}, json.dumps({"version": self.page_version})),
            checks.EGRESS: Answer(200, {}, "203.0.113.9"),
        }.get(url) or ask(url)

    def results(self) -> Mapping[str, Result]:
        """Examine it."""
        end = datetime.now(UTC) + timedelta(days=60)
        return {it.name: it for it in examine(Patient(place.variables, self._ask, lambda _host, _port: end))}


@pytest.fixture(scope="module")
def behind() -> Iterator[Place]:
    """Start AWS and Kite once."""
    with aws_and_kite() as found:
        yield found


@pytest.fixture
def ward(behind: Place, monkeypatch: pytest.MonkeyPatch) -> Ward:
    """Give a healthy stack."""
    return Ward(behind, monkeypatch)


def test_a_healthy_stack_needs_nothing(ward: Ward) -> None:
    """Every check is good, and says where it looked."""
    results = ward.results()
    assert {it.tone for it in results.values()} == {"good"}, results
    assert results["place"].detail == f"stack (from the environment), parameters /{NAME}"
    assert results["identity"].detail.startswith("arn:aws:")
    assert results["identity"].detail.endswith("in ap-south-1")
    assert results["queue"].detail == "empty, and no dead letters"
    assert "accepts token 1 of AB1234" in results["token"].detail
    assert __version__ in results["versions"].detail


def _lose_table(_: Ward) -> None:
    make_client("dynamodb").delete_table(TableName=NAME)


def _expire(ward: Ward) -> None:
    """Let the token die; that a login helps goes by the day on which this runs."""
    ward.environment.setattr(MarketFacts, "login_helps", lambda *_: True)
    ward.behind.kite("expire")


WEATHER: tuple[tuple[Callable[[Ward], object], str, str, int, str, str], ...] = (
    (lambda w: w.environment.delenv("AWS_DEFAULT_REGION"), "identity", "bad", 5, "set AWS_REGION", "aws configure"),
    (lambda w: w.environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), "identity", "bad", 4, "Connect", "aws"),
    (
        lambda w: w.environment.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0),
        "identity", "bad", 5, "InvalidClientTokenId", "aws configure",
    ),
    (
        lambda w: w.behind.ssm.delete_parameter(Name=f"/{NAME}/api_secret"),
        "parameters", "bad", 5, "api_secret not set", "kite-relay setup",
    ),
    (lambda w: w.behind.sqs.delete_queue(QueueUrl=w.behind.queue), "queue", "bad", 5, "NonExistent", "queue"),
    (
        lambda w: w.behind.sqs.send_message(QueueUrl=w.behind.queue, MessageBody="{}"),
        "queue", "warn", 0, "1 announcement that", "Start the worker",
    ),
    (
        lambda w: w.behind.sqs.send_message(QueueUrl=w.dead, MessageBody="{}"),
        "queue", "bad", 4, "1 dead letter", "purge the dead-letter queue",
    ),
    (_expire, "token", "bad", 3, "access_token", "kite-relay login"),
    (lambda w: w.behind.kite("rest", status=503), "token", "bad", 4, "503", "kite-relay login"),
    (lambda w: w.environment.setenv("ALLOWED_USER_IDS", "XY9999"), "token", "bad", 3, "AB1234's", "Log out"),
    (_lose_table, "worker", "bad", 5, "ResourceNotFound", "may read its table"),
    (
        lambda w: w.beat(heartbeat_at=datetime.now(UTC) - timedelta(minutes=5)),
        "worker", "bad", 4, "5 min ago", "docker compose up",
    ),
    (lambda w: w.beat(generation=0), "worker", "warn", 0, "token 0, stored is 1", "Wait a minute"),
    (lambda w: setattr(w, "page_version", "0.0.1"), "versions", "warn", 0, "page 0.0.1", "make deploy"),
)  # fmt: skip


@pytest.mark.parametrize(("change", "name", "tone", "code", "words", "fix"), WEATHER)
def test_each_ill_is_told_once(
    ward: Ward, change: Callable[[Ward], object], name: str, tone: str, code: int, words: str, fix: str
) -> None:
    """One root, its fix and its code; whatever cannot be looked at without it says just that."""
    change(ward)
    results = ward.results()
    found = results[name]
    assert (found.tone, int(found.code)) == (tone, code), found
    assert words in found.detail
    assert fix in found.fix
    others = [it for it in results.values() if it.name != name]
    assert [it for it in others if it.tone in ("bad", "warn")] == []
    assert {it.detail for it in others if it.tone == "soft"} <= {f"not looked at: needs {name}"}
