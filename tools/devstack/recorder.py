"""Stands between our programs and the embedded AWS, and writes down every call: who, what, on which resource.

It passes everything on unchanged, so signatures still hold and IAM is still enforced behind it.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from aiohttp import ClientSession, web

from tools.devstack.places import HOST
from tools.devstack.proxy import Proxy

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")


@dataclass(frozen=True, slots=True)
class Call:
    """One call to AWS.

    Args:
        access_key: who signed it.
        action: as IAM names it, such as `ssm:GetParameter`.
        resources: the ARNs that IAM checks; `*` where the call names none.
        leading_keys: the partition keys of a DynamoDB call.
        status: of the answer; 4xx with `AccessDenied` is a refusal.
        denied: whether IAM refused it.
        decrypts: whether it asks SSM to decrypt.
        began: when it came, in epoch seconds.
        ended: when it was answered.
    """

    access_key: str
    action: str
    resources: tuple[str, ...]
    leading_keys: tuple[str, ...] = ()
    status: int = 0
    denied: bool = False
    decrypts: bool = False
    began: float = 0.0
    ended: float = 0.0


def read_call(headers: Mapping[str, str], body: bytes, account: str) -> Call | None:
    """Read a signed request; None if it is not signed."""
    found = _CREDENTIAL.search(headers.get("Authorization", ""))
    if found is None:
        return None
    access_key, region, service = found.groups()
    operation, request = _operation(headers, body)
    scope = f"arn:aws:{service}:{region}:{account}:"
    resources, leading = _RESOURCES.get(service, _anything)(scope, request)
    decrypts = service == "ssm" and bool(request.get("WithDecryption"))
    return Call(access_key, f"{service}:{operation}", resources, leading, decrypts=decrypts)


def _operation(headers: Mapping[str, str], body: bytes) -> tuple[str, dict[str, Any]]:
    target = headers.get("X-Amz-Target", "")
    if target:
        return target.rsplit(".", 1)[-1], json.loads(body or b"{}")
    form = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
    return form.get("Action", "unknown"), form


Found = tuple[tuple[str, ...], tuple[str, ...]]


def _anything(_scope: str, _request: dict[str, Any]) -> Found:
    return ("*",), ()


def _parameter(scope: str, request: dict[str, Any]) -> Found:
    names = request.get("Names") or [request.get("Name", "")]
    return tuple(f"{scope}parameter/{name.lstrip('/')}" for name in names), ()


def _bus(scope: str, request: dict[str, Any]) -> Found:
    names = {entry.get("EventBusName", "default") for entry in request.get("Entries", [])}
    return tuple(f"{scope}event-bus/{name.rsplit('/', 1)[-1]}" for name in sorted(names)), ()


def _queue(scope: str, request: dict[str, Any]) -> Found:
    return (scope + str(request.get("QueueUrl", "")).rsplit("/", 1)[-1],), ()


def _topic(_scope: str, request: dict[str, Any]) -> Found:
    return (str(request.get("TopicArn", "*")),), ()


def _table(scope: str, request: dict[str, Any]) -> Found:
    batches: dict[str, Any] = request.get("RequestItems", {})
    if batches:
        keys = [item["key"]["S"] for batch in batches.values() for item in batch["Keys"]]
        return tuple(f"{scope}table/{name}" for name in batches), tuple(keys)
    item = request.get("Item") or request.get("Key") or {}
    return (f"{scope}table/{request.get('TableName', '')}",), (item["key"]["S"],) if "key" in item else ()


_RESOURCES: dict[str, Callable[[str, dict[str, Any]], Found]] = {
    "dynamodb": _table,
    "events": _bus,
    "sns": _topic,
    "sqs": _queue,
    "ssm": _parameter,
}


class Recorder(Proxy):
    """Listens where our programs think that AWS is.

    Args:
        port: where it listens.
        aws_port: where MiniStack listens.
        account: the account's number.
    """

    def __init__(self, port: int, aws_port: int, account: str) -> None:
        super().__init__(port, most_bytes=1 << 24)
        self.calls: list[Call] = []
        self._aws = f"http://{HOST}:{aws_port}"
        self._account = account

    async def pass_on(self, session: ClientSession, request: web.Request) -> web.Response:
        """Ask MiniStack the same, and write down what was asked."""
        began = time.time()
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        url = self._aws + request.raw_path
        async with session.request(request.method, url, headers=headers, data=body) as answer:
            content = await answer.read()
            call = read_call(request.headers, body, self._account)
            if call:
                denied = answer.status in (400, 403) and b"AccessDenied" in content
                self.calls.append(replace(call, status=answer.status, denied=denied, began=began, ended=time.time()))
            passed = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in ("content-length", "transfer-encoding", "connection")
            }
            return web.Response(status=answer.status, body=content, headers=passed)
