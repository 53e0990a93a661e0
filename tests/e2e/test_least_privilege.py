"""Least privilege, proved by use: the whole system runs under its own policies, and every call is written down.

MiniStack enforces IAM (`AUTH=true`): a right that is missing breaks the run; a right that no call used is one too many.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial

import pytest

from tests.policies import Policy, Template
from tools.devstack.browser import Browser
from tools.devstack.places import Home, Ports
from tools.devstack.recorder import Call
from tools.devstack.stack import USER_ID, DevStack, Options
from tools.devstack.timeline import stages

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

NOT_SEEN_HERE = {
    "WriteItsLog": "Lambda writes the log stream with the function's role; the function's code does not",
    "StartTheReminder": "EventBridge Scheduler uses it at its hours; here the function is started by hand",
    "RememberWhatWasTold": "only when a message is due, which the clock decides",
    "MailByTopic": "the same, and an address for mail is given",
    "LetItsRelayProcessesCheckTickets": "only relay processes of their own need it, and here is one process",
}
"""Statements that no recorded call can have used, and why."""


@pytest.fixture
async def stack() -> AsyncIterator[DevStack]:
    """The whole system, every call of its parts to AWS written down."""
    async with DevStack(Home.named("least-privilege"), Ports.free(), Options(record=True)) as running:
        yield running


def principals(stack: DevStack) -> dict[str, str]:
    """Tell whose each access key is: the worker's own, and those that MiniStack makes for the functions' roles."""
    assert stack.worker_key
    assert stack.deployed
    found = {stack.worker_key: "WorkerUser"}
    functions = {
        name: one["Properties"]["Role"]["Fn::GetAtt"][0]
        for name, one in Template().of_type("AWS::Serverless::Function").items()
    }
    for name, role in functions.items():
        told = stack.aws.functions.get_function(FunctionName=stack.deployed.physical[name])["Configuration"]
        digest = hashlib.sha256(f"{told['FunctionArn']}:{told['Role']}".encode()).hexdigest()
        found[f"ASIA{digest[:16].upper()}"] = role
    return found


async def live_one_day(stack: DevStack) -> None:
    """Use everything once: two logins, every page, a ticket, a wrong user, a logout, every scheduled function."""
    async with Browser(stack.page) as browser:
        for _ in range(2):
            login = await browser.log_in(USER_ID)
            await stack.wait_until("the first tick", partial(_ticking, stack, login.called_back_at))
        for path in ("/", "/api/token-status", "/api/health/detailed", "/api/market"):
            await browser.get(path)
        await browser.post("/api/feed-ticket")
        async with Browser(stack.page) as strangers:
            assert (await strangers.log_in("ZZ9999")).status == 403
        await browser.post("/logout")
    assert stack.deployed
    for name, one in Template().of_type("AWS::Serverless::Function").items():
        if not any(event["Type"] == "HttpApi" for event in one["Properties"].get("Events", {}).values()):
            physical = stack.deployed.physical[name]
            answer = await asyncio.to_thread(stack.aws.functions.invoke, FunctionName=physical, Payload=b"{}")
            assert "FunctionError" not in answer, answer["Payload"].read()


async def _ticking(stack: DevStack, since: float) -> bool:
    return any(stage.what == "first_tick" for stage in stages(stack, since))


def context(call: Call) -> dict[str, tuple[str, ...]]:
    """Give what IAM's conditions would see."""
    return {"dynamodb:LeadingKeys": call.leading_keys} if call.leading_keys else {}


def used(call: Call, policy: Policy) -> set[str]:
    """Name the statements that allow a call; empty when one of its resources is not allowed."""
    found = [policy.decide(call.action, resource, context(call)) for resource in call.resources]
    return {one.sid for one in found if one} if all(found) else set()


async def test_every_call_is_allowed_and_every_right_is_used(stack: DevStack) -> None:
    """The policies are exactly what the code needs."""
    await live_one_day(stack)
    names, policies = principals(stack), Template().policies()
    table: Counter[tuple[str, str, str, str]] = Counter()
    refused, spare = (
        [],
        {(name, one.sid) for name, p in policies.items() for one in p.statements if one.effect == "Allow"},
    )
    for call in stack.recorder.calls:
        who = names.get(call.access_key, call.access_key)
        by = used(call, policies[who]) if who in policies else set()
        if call.denied or not by:
            refused.append((who, call))
        spare -= {(who, sid) for sid in by}
        table[
            who, call.action, ", ".join(resource.rsplit(":", 1)[-1] for resource in call.resources), ", ".join(by)
        ] += 1
        assert not (who == "StatusRole" and call.decrypts), "status asked SSM to decrypt"
    report = "\n".join(f"| {' | '.join(row)} | {count} |" for row, count in sorted(table.items()))
    (stack.home.path / "calls.md").write_text(
        f"| who | action | on | allowed by | calls |\n|---|---|---|---|---|\n{report}\n"
    )
    assert refused == []
    assert {(name, sid) for name, sid in spare if sid not in NOT_SEEN_HERE} == set()
