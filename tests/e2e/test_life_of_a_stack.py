"""From deployed to gone: the key is changed, a second stack moves in, one is updated, and uninstalled as documented.

All of it on the embedded AWS, with the real sam and the worker as it runs on a droplet.
"""

import asyncio
import json
import shutil
import time
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from kite_relay import __version__
from tests.documents import blocks, section
from tools.cli.rotate import Patience
from tools.devstack import cloud, programs, wiring
from tools.devstack.browser import Browser, Login
from tools.devstack.demo import start_bot
from tools.devstack.front import Front
from tools.devstack.places import HOST, ROOT, Home, Ports, program
from tools.devstack.stack import USER_ID, DevStack, Options
from tools.devstack.timeline import stages

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

OTHER, OTHER_USER, OTHER_PORT = "kite-relay-anu", "CD5678", 6
NEXT_VERSION = "9.8.7"

LISTS: tuple[tuple[str, str, str, str | None], ...] = (
    ("apigatewayv2", "get_apis", "Items", "Name"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("dynamodb", "list_tables", "TableNames", None),
    ("events", "list_event_buses", "EventBuses", "Name"),
    ("events", "list_rules", "Rules", "Name"),
    ("iam", "list_policies", "Policies", "PolicyName"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_users", "Users", "UserName"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("lambda", "list_layers", "Layers", "LayerName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("logs", "describe_metric_filters", "metricFilters", "filterName"),
    ("scheduler", "list_schedules", "Schedules", "Name"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sqs", "list_queues", "QueueUrls", None),
    ("ssm", "describe_parameters", "Parameters", "Name"),
)
"""Every kind of thing that the template makes, and what a person stores beside it: service, call, rows, name."""

AWS_COMMAND = """#!{python}
import sys, boto3
_, service, verb, option, *names = sys.argv
assert (service, verb, option) == ("ssm", "delete-parameters", "--names"), sys.argv
boto3.client("ssm").delete_parameters(Names=names)
"""
"""Stands in for the aws command, which is none of ours, in the one way that the documents use it."""


class Account:
    """What the embedded AWS holds."""

    def __init__(self, ports: Ports) -> None:
        self.env = cloud.aws_env(f"http://{HOST}:{ports.ministack}")
        self._session: Any = boto3.Session(cloud.ROOT_KEY, cloud.ROOT_KEY, region_name=cloud.REGION)

    def client(self, service: str) -> Any:
        """Make a client of the administrator's."""
        return self._session.client(service, endpoint_url=self.env["AWS_ENDPOINT_URL"])

    def holds(self, stack: str) -> set[tuple[str, str]]:
        """List what belongs to one of the two stacks: its kind and its name."""
        found = set()
        for service, call, rows, name in LISTS:
            client = self.client(service)
            answer = (
                client.get_paginator(call).paginate().build_full_result()
                if client.can_paginate(call)
                else getattr(client, call)()
            )
            names = [row[name] if name else row for row in answer.get(rows, [])]
            found |= {(call, one) for one in names if stack_of(one) == stack}
        return found

    def parameters(self, stack: str) -> dict[str, tuple[int, str]]:
        """Read a stack's parameters: version and value."""
        answer = self.client("ssm").get_parameters_by_path(Path=f"/{stack}", WithDecryption=True)
        return {one["Name"]: (one["Version"], one["Value"]) for one in answer["Parameters"]}

    def waiting(self, stack: str) -> int:
        """Count the announcements in a stack's queue, those that a worker has read and not deleted among them."""
        queues = self.client("sqs")
        url = queues.get_queue_url(QueueName=f"{stack}-announcements")["QueueUrl"]
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = queues.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
        return sum(int(answer[name]) for name in wanted)

    def refuses(self, key: str, secret: str) -> bool:
        """Tell whether AWS takes no call that is signed with a key."""
        try:
            boto3.client(
                "sts",
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                region_name=cloud.REGION,
                endpoint_url=self.env["AWS_ENDPOINT_URL"],
            ).get_caller_identity()
        except ClientError as error:
            return error.response["Error"]["Code"] in ("InvalidClientTokenId", "UnrecognizedClientException")
        return False


def stack_of(name: str) -> str | None:
    """Tell to which of the two stacks a name belongs."""
    return next((stack for stack in (OTHER, cloud.STACK) if stack in name), None)


@asynccontextmanager
async def other_stack(stack: DevStack) -> AsyncIterator[Browser]:
    """Deploy the same build a second time, under another name and for another person; gives that person's browser."""
    parameters = stack.parameters() | {"AllowedUserIds": OTHER_USER}
    await cloud.deploy(stack.children, stack.home, stack.ports, stack.built, parameters, OTHER)
    deployed = wiring.Deployed.read(stack.aws, OTHER)
    assert stack.deployed
    assert set(deployed.physical.values()) & set(stack.deployed.physical.values()) == {"$default"}, "but for the stage"
    wiring.wire_routes(stack.aws, OTHER, deployed)
    app = {"api_key": programs.API_KEY, "api_secret": programs.API_SECRET}
    wiring.seed(stack.aws, deployed.outputs["ParameterPrefix"], secrets=app, plain={})
    port = stack.ports.base + OTHER_PORT
    front = Front(port, stack.ports.ministack, lambda: deployed.outputs["ApiId"])
    await front.start()
    try:
        async with Browser(f"http://localhost:{port}") as browser:
            yield browser
    finally:
        await front.stop()


async def log_in(stack: DevStack, browser: Browser, user: str) -> Login:
    """Log in at one of the two stacks; the simulated Kite knows one app, whose redirect URL is moved."""
    await stack.tell_simulator("app", {"redirect_url": f"{browser.page}/callback"})
    login = await browser.log_in(user)
    assert login.status == 200, login.page
    return login


async def ticking(stack: DevStack, since: float) -> bool:
    """Tell whether the worker has had a first tick since an instant."""
    return any(stage.what == "first_tick" for stage in stages(stack, since))


async def detailed(browser: Browser) -> dict[str, Any]:
    """Read the detailed status as the dashboard does."""
    body: dict[str, Any] = json.loads(await browser.get("/api/health/detailed"))
    return body


async def change_the_key(stack: DevStack, account: Account) -> None:
    """Rotate: no call of the worker is refused at any time, and the old key is worth nothing afterwards."""
    loop, calls, pid = asyncio.get_running_loop(), stack.recorder.calls, stack.children.pid("worker")
    old, before = json.loads(stack.home.key.read_text()), len(stack.recorder.calls)

    async def used() -> bool:
        """Tell of the client that asks least often: while it takes the new key, its other calls go by the old one."""
        new = json.loads(stack.home.key.read_text())["AccessKeyId"]
        return any(call.access_key == new and call.action == "sqs:ReceiveMessage" for call in calls[before:])

    def wait(seconds: float) -> None:
        waiting = stack.wait_until("the first poll under the new key", used) if seconds > 60 else asyncio.sleep(0.1)
        asyncio.run_coroutine_threadsafe(waiting, loop).result()

    new = await asyncio.to_thread(stack.rotation(print, Patience(sleep=wait)).run)
    assert json.loads(stack.home.key.read_text())["AccessKeyId"] == new != old["AccessKeyId"]
    assert {call.access_key for call in calls[before:]} >= {new}
    assert [call for call in calls[before:] if call.denied or call.status == 403] == []
    assert account.refuses(old["AccessKeyId"], old["SecretAccessKey"])
    assert stack.children.pid("worker") == pid


async def live_beside(stack: DevStack, account: Account, browser: Browser) -> None:
    """A login in the other stack is stored and announced there, and here nothing moves."""
    ours, since = account.parameters(cloud.STACK), time.time()
    assert account.parameters(OTHER).keys() == {f"/{OTHER}/api_key", f"/{OTHER}/api_secret"}
    await log_in(stack, browser, OTHER_USER)
    assert account.parameters(OTHER)[f"/{OTHER}/access_token"][0] == 1
    assert (account.waiting(OTHER), account.waiting(cloud.STACK)) == (1, 0)
    assert account.parameters(cloud.STACK) == ours
    assert stages(stack, since) == []
    kinds = [sorted(kind for kind, _ in account.holds(name)) for name in (cloud.STACK, OTHER)]
    assert [kind for kind in kinds[0] if kind != "describe_parameters"] == [
        kind for kind in kinds[1] if kind != "describe_parameters"
    ]


async def update_in_place(stack: DevStack, account: Account, browser: Browser, folder: Path) -> None:
    """New code and a changed parameter, while the worker is down and a token waits: both outlive it."""
    assert await stack.children.stop("worker") == 0
    login = await log_in(stack, browser, USER_ID)
    before = account.parameters(cloud.STACK)
    assert account.waiting(cloud.STACK) == 1
    built = Path(shutil.copytree(stack.built, folder / "next"))
    version = built / "CoreLayer/python/kite_relay/__init__.py"
    version.write_text(version.read_text().replace(__version__, NEXT_VERSION))
    changed = stack.parameters() | {"QuietHours": "21:00-08:00"}
    await cloud.deploy(stack.children, stack.home, stack.ports, built, changed)
    assert account.parameters(cloud.STACK) == before
    assert account.waiting(cloud.STACK) == 1
    told = account.client("lambda").get_function_configuration(FunctionName=f"{cloud.STACK}-reminder")
    assert told["Environment"]["Variables"]["QUIET_HOURS"] == "21:00-08:00"
    assert (await detailed(browser))["version"] == NEXT_VERSION
    await stack.start_worker()
    await stack.wait_until("the first tick after the update", partial(ticking, stack, login.called_back_at))

    async def drifted() -> bool:
        return "version_drift" in [finding["code"] for finding in (await detailed(browser))["findings"]]

    await stack.wait_until("the finding that worker and pages differ", drifted)


async def upgrade_the_worker(stack: DevStack) -> None:
    """Start it anew as an upgrade does: the official client is told 1012, and comes back by itself."""
    bot = await start_bot(stack)

    async def connected(times: int) -> bool:
        return bool((await bot.report())["connects"] == times)

    await stack.wait_until("the bot's connection", partial(connected, 1))
    assert await stack.children.stop("worker") == 0
    await stack.start_worker()
    await stack.wait_until("the bot's return", partial(connected, 2))
    assert (await bot.report())["close_codes"][0] == 1012


async def uninstall(stack: DevStack, account: Account, folder: Path) -> None:
    """Type what the document says, line by line: only what it says stays, and of the other stack everything."""
    await stack.children.stop("worker")
    beside = account.holds(OTHER)
    folder.joinpath(".envs").symlink_to(ROOT / ".envs")
    aws = folder / "aws"
    aws.write_text(AWS_COMMAND.format(python=program("dev", "python")))
    aws.chmod(0o755)
    lines = blocks(section(ROOT / "docs/deploy.md", "5. Uninstall"))[0].splitlines()
    env = cloud.base_env(stack.home) | account.env
    env |= {"PATH": f"{folder}:{env['PATH']}", "SAM_CLI_TELEMETRY": "0"}
    left = []
    for line in lines:
        typed = await asyncio.create_subprocess_exec(
            *("bash", "-c", line), cwd=folder, env=env, stdin=PIPE, stdout=PIPE, stderr=STDOUT
        )
        said, _ = await typed.communicate(b"y\ny\n")
        assert typed.returncode == 0, f"{line}\n{said.decode()}"
        left.append(account.holds(cloud.STACK))
    assert {kind for kind, _ in left[1]} == {"describe_parameters"}
    assert left[2] == set()
    assert account.holds(OTHER) == beside


async def test_the_life_of_a_stack(tmp_path: Path) -> None:
    """One story, because each part of it needs what the one before has left."""
    options = Options(worker={"KEY_SECONDS": "0", "HEARTBEAT_SECONDS": "1"}, record=True)
    async with (
        DevStack(Home.named("life"), Ports.free(), options) as stack,
        Browser(stack.page) as browser,
    ):
        account = Account(stack.ports)
        for after in (None, change_the_key):
            if after:
                await after(stack, account)
            login = await log_in(stack, browser, USER_ID)
            await stack.wait_until("the first tick", partial(ticking, stack, login.called_back_at))
        async with other_stack(stack) as other:
            await live_beside(stack, account, other)
            await update_in_place(stack, account, browser, tmp_path)
            await upgrade_the_worker(stack)
            await uninstall(stack, account, tmp_path)
            await log_in(stack, other, OTHER_USER)
            assert account.waiting(OTHER) == 2
