"""moto's AWS with what the template would make there, the simulated Kite, and an environment that leads to both."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from functions.login_callback import app
from kite_relay.adapters.aws import make_client
from tests.fakes.api_gateway import Browser
from tests.fakes.aws import environment
from tests.fakes.canaries import API_SECRET
from tests.fakes.dynamodb import atomic_writes, make_board
from tools.simulator import Simulator

NAME = "login-test"
VARIABLES = {
    "PARAMETER_PREFIX": f"/{NAME}",
    "BOARD_TABLE": NAME,
    "EVENT_BUS": NAME,
    "ALLOWED_USER_IDS": "AB1234",
}


class Place:
    """AWS, Kite, the function before them, and what came of it."""

    def __init__(self, simulator: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self.simulator = simulator
        self._loop = loop
        self.browser = Browser(app.handler)
        self.ssm, self.sqs, self.events = (make_client(name, read_seconds=30) for name in ("ssm", "sqs", "events"))
        self.queue = self.make()

    def make(self) -> str:
        """Make what the template makes, in an AWS that holds nothing else; returns the queue's address."""
        moto_api_backend.reset()
        for name, value in (("api_key", "simulatorkey"), ("api_secret", API_SECRET)):
            self.ssm.put_parameter(Name=f"/{NAME}/{name}", Value=value, Type="SecureString", Overwrite=True)
        make_board(make_client("dynamodb", read_seconds=30), NAME)
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
            return getattr(self.simulator, name)(**options)

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

    def redirect(self, user_id: str = "AB1234") -> str:
        """Log in at Kite without our button; returns the address that Zerodha sends the browser to."""
        token = self.kite("login", user_id=user_id)["request_token"]
        return f"http://127.0.0.1/callback?action=login&type=login&status=success&request_token={token}"

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


@contextmanager
def aws_and_kite() -> Iterator[Place]:
    """Start both, and let the environment name them."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    simulator = Simulator(api_secret=API_SECRET, seed=9)
    asyncio.run_coroutine_threadsafe(simulator.__aenter__(), loop).result(10)
    roots = {"KITE_API_ROOT": simulator.rest_root, "KITE_LOGIN_ROOT": simulator.login_root}
    try:
        with (
            atomic_writes(),
            mock.patch.dict(os.environ, {**environment(f"http://{host}:{port}"), **VARIABLES, **roots}),
        ):
            yield Place(simulator, loop)
    finally:
        asyncio.run_coroutine_threadsafe(simulator.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        server.stop()
