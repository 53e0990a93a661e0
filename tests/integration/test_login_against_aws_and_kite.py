"""The login function against moto's AWS and the simulated Kite: every outcome, and many callbacks at once."""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from functions.login_callback import app
from kite_relay.adapters.aws import make_client
from kite_relay.config import LoginDeployable, login_deployable
from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.domain.login import read_answer
from kite_relay.usecases.complete_login import complete_login
from tests.fakes.api_gateway import Browser
from tools.simulator import Simulator

AT_ONCE = 50
NAME = "login-test"
VARIABLES = {
    "AWS_DEFAULT_REGION": "ap-south-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "PARAMETER_PREFIX": f"/{NAME}",
    "BOARD_TABLE": NAME,
    "EVENT_BUS": NAME,
    "ALLOWED_USER_IDS": "AB1234",
}


class Place:
    """AWS, Kite, the function before them, and what came of it."""

    def __init__(self, simulator: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self._simulator = simulator
        self._loop = loop
        self.browser = Browser(app.handler)
        self.ssm, self.sqs, self.events = (make_client(name, read_seconds=30) for name in ("ssm", "sqs", "events"))
        self.queue = self._make()

    def _make(self) -> str:
        for name, value in (("api_key", "simulatorkey"), ("api_secret", "simulator-secret")):
            self.ssm.put_parameter(Name=f"/{NAME}/{name}", Value=value, Type="SecureString", Overwrite=True)
        make_client("dynamodb", read_seconds=30).create_table(
            TableName=NAME,
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        queue = str(self.sqs.create_queue(QueueName=NAME)["QueueUrl"])
        arn = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.make_bus(arn)
        return queue

    def make_bus(self, arn: str) -> None:
        """Make the bus and its rule."""
        self.events.create_event_bus(Name=NAME)
        pattern = json.dumps({"source": ["kite-relay"]})
        self.events.put_rule(Name="rule", EventBusName=NAME, EventPattern=pattern)
        self.events.put_targets(Rule="rule", EventBusName=NAME, Targets=[{"Id": "queue", "Arn": arn}])

    def kite(self, name: str, **options: Any) -> Any:
        """Call a control of the simulator in its own loop."""

        async def there() -> Any:
            return getattr(self._simulator, name)(**options)

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result(10)

    def callback(self, user_id: str = "AB1234", **changes: str) -> str:
        """Press the button and log in; returns where Zerodha sends the browser."""
        query = parse_qs(urlsplit(self.browser.get("/login").location).query)
        token = self.kite("login", user_id=user_id)["request_token"]
        parts = {"action": "login", "status": "success", "request_token": token, **changes}
        return "/callback?" + "&".join(f"{k}={v}" for k, v in parts.items()) + "&" + query["redirect_params"][0]

    def version(self) -> int:
        """Tell the version of the stored token; 0 when there is none."""
        try:
            return int(self.ssm.get_parameter(Name=f"/{NAME}/access_token")["Parameter"]["Version"])
        except self.ssm.exceptions.ParameterNotFound:
            return 0

    def announced(self) -> int:
        """Take all announcements out of the queue; tells how many."""
        count = 0
        while batch := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            count += len(batch)
            for message in batch:
                assert "access_token" not in message["Body"].replace(f"/{NAME}/access_token", "")
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return count

    def exchanges(self) -> int:
        """Tell how many exchanges Kite was asked for."""
        return sum(self.kite("state")["counts"].get("exchanges", {}).values())


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Start AWS and Kite, and wire the function to them from the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    moto_api_backend.reset()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    simulator = Simulator(seed=9)
    asyncio.run_coroutine_threadsafe(simulator.__aenter__(), loop).result(10)
    roots = {"KITE_API_ROOT": simulator.rest_root, "KITE_LOGIN_ROOT": simulator.login_root}
    with mock.patch.dict(os.environ, {**VARIABLES, **roots, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}):
        found = Place(simulator, loop)
        deployable = login_deployable()
        monkeypatch.setattr(app, "deployable", lambda: deployable)
        yield found
    asyncio.run_coroutine_threadsafe(simulator.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    server.stop()


def test_every_outcome_has_its_page(place: Place, measured: Callable[[str, object], None]) -> None:
    """In one process, over real adapters: what is told is what happened."""
    told = {}

    def tell(name: str, target: str, title: str, versions: int, events: int) -> None:
        before = place.version()
        shown = place.browser.follow(target)
        assert title in shown.body, (name, shown.body)
        assert (place.version() - before, place.announced()) == (versions, events), name
        told[name] = int(shown.status)

    first = place.callback()
    tell("stored and announced", first, "You are logged in", 1, 1)
    tell("already done", first, "Already done", 0, 0)
    tell("wrong user", place.callback("XY9999"), "Another Zerodha user", 0, 0)
    tell("cancelled", place.callback(status="cancelled"), "The login was cancelled", 0, 0)
    tell("expired", "/callback?action=login&status=success&request_token=abcdefgh1234", "This link has expired", 0, 0)
    tell("Zerodha says no", place.callback(request_token="neverissued0123"), "Zerodha said no", 0, 0)
    target = place.callback()
    place.kite("rest", status=503, times=1)
    tell("Zerodha unreachable", target, "Zerodha is out of reach", 0, 0)
    with mock.patch.object(app.deployable().tokens, "write", side_effect=StoreUnavailableError("SSM is down")):
        tell("store failed", place.callback(), "The token is not stored", 0, 0)
    with mock.patch.object(app.deployable().bus, "announce", side_effect=StoreUnavailableError("down")):
        tell("stored, not announced", place.callback(), "Stored, but not announced", 1, 0)
    measured("outcomes", told)


@pytest.mark.promise(3)
def test_many_callbacks_at_once_are_one_login(
    place: Place, at_scale: Callable[[int, int], int], measured: Callable[[str, object], None]
) -> None:
    """50 identical callbacks at the same moment: one exchange, one version, one event; all pages are calm."""
    rounds = at_scale(3, 100)
    for number in range(rounds):
        target = place.callback()
        before, spent = place.version(), place.exchanges()
        locations = _at_once(app.deployable(), place.browser, target)
        shown = [place.browser.get(location) for location in locations]
        assert all(int(page.status) == 200 for page in shown)
        assert sum("You are logged in" in page.body for page in shown) == 1
        assert sum("Already done" in page.body for page in shown) == AT_ONCE - 1
        counted = (place.exchanges() - spent, place.version() - before, place.announced())
        assert counted == (1, 1, 1), number
    measured("rounds", rounds)
    measured("exchanges, versions, events per round", [1, 1, 1])


def _at_once(ports: LoginDeployable, browser: Browser, target: str) -> list[str]:
    """Complete the same callback in 50 threads, as 50 Lambdas would; returns where each sends the browser."""
    answer = read_answer(urlsplit(target).query)
    prefix = "__Host-kr-"
    bindings = {name.removeprefix(prefix): value for name, value in browser.jar.items()}
    barrier = threading.Barrier(AT_ONCE)

    def complete(_: int) -> str:
        barrier.wait()
        done = complete_login(ports, answer, bindings)
        return f"/login/result/{done.attempt_id}{'' if done.ending else '?again=1'}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(complete, range(AT_ONCE)))
