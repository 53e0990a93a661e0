"""The embedded AWS: MiniStack, and the very template deployed to it by the real `sam`."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from tools.devstack.children import Child, Children
from tools.devstack.places import HOST, ROOT, Home, Ports, program
from tools.devstack.trouble import StackError

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_ssm import SSMClient

STACK = "kite-relay"
REGION = "ap-south-1"
ACCOUNT = "123456789012"
ROOT_KEY = "test"
"""MiniStack's own administrator: access key and secret alike."""
KEPT = 2
"""Builds: of the sources as they are, and as they were before the last change."""
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


def base_env(home: Home) -> dict[str, str]:
    """Give what every program gets: never the user's own AWS settings, and a scratch folder of ours."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed | {
        "TMPDIR": str(home.scratch),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def aws_env(endpoint: str) -> dict[str, str]:
    """Give the one seam to AWS, for the administrator: the endpoint and his key."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_DEFAULT_REGION": REGION,
    }


def clients(ports: Ports) -> "Clients":
    """Give the administrator's clients of the embedded AWS."""
    return Clients(boto3.Session(ROOT_KEY, ROOT_KEY, region_name=REGION), f"http://{HOST}:{ports.ministack}")


class Clients:
    """The AWS clients that setting up the stack needs, each made when it is first used."""

    def __init__(self, session: boto3.Session, endpoint: str) -> None:
        self._session = session
        self._endpoint = endpoint

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        """Reads the deployed stack."""
        return self._session.client("cloudformation", endpoint_url=self._endpoint)

    @cached_property
    def apigateway(self) -> "ApiGatewayV2Client":
        """Wires the HTTP API's routes."""
        return self._session.client("apigatewayv2", endpoint_url=self._endpoint)

    @cached_property
    def functions(self) -> "LambdaClient":
        """Finds the functions behind the routes."""
        return self._session.client("lambda", endpoint_url=self._endpoint)

    @cached_property
    def ssm(self) -> "SSMClient":
        """Seeds the parameters."""
        return self._session.client("ssm", endpoint_url=self._endpoint)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """Reads the status board."""
        return self._session.client("dynamodb", endpoint_url=self._endpoint)

    @cached_property
    def iam(self) -> "IAMClient":
        """Makes the worker's access key."""
        return self._session.client("iam", endpoint_url=self._endpoint)


async def start_ministack(children: Children, home: Home, ports: Ports, endpoint: str) -> Child:
    """Start MiniStack on the loopback, with IAM policies enforced; `endpoint` is where the Lambdas find AWS."""
    return await children.start(
        "ministack",
        [program("ministack", "python"), ROOT / "tools" / "devstack" / "emulator.py"],
        base_env(home)
        | {
            "BIND_HOST": HOST,  # its default is every interface
            "GATEWAY_PORT": str(ports.ministack),
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "AUTH": "true",
            "AWS_ENDPOINT_URL": endpoint,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        },
    )


async def build(children: Children, home: Home) -> Path:
    """Run `sam build`, unless the very same sources were built before; returns the folder of the result."""
    _config(home).write_text("version = 0.1\n")  # the user's own samconfig.toml is for the real AWS
    built = home.builds / fingerprint(ROOT)
    if not built.exists():
        where = ("--build-dir", home.path / "build", "--cache-dir", home.path / "cache")
        command = (*_sam(home, "build", ROOT / "template.yaml"), *where)
        await children.finish("sam-build", command, _sam_env(home))
        home.builds.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):  # another stack was faster
            (home.path / "build").rename(built)
    keep(built)
    return built


def keep(built: Path) -> None:
    """Keep this build and the one that was used before it; each takes 14 MB."""
    built.touch()
    for old in sorted(built.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def fingerprint(sources: Path) -> str:
    """Name what `sam build` reads by its content."""
    found = (path for part in ("core", "functions") for path in (sources / part).rglob("*"))
    files = sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)
    digest = hashlib.sha256()
    for path in (sources / "template.yaml", *files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(sources)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


async def deploy(
    children: Children, home: Home, ports: Ports, built: Path, parameters: Mapping[str, str], stack: str = STACK
) -> None:
    """Run `sam deploy --resolve-s3` against MiniStack, with what was built."""
    quiet = ("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar")
    what = ("--stack-name", stack, "--resolve-s3", "--capabilities", "CAPABILITY_IAM", *quiet)
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    command = (*_sam(home, "deploy", built / "template.yaml"), *what, "--parameter-overrides", *overrides)
    await children.finish(f"sam-deploy-{stack}", command, _sam_env(home) | aws_env(f"http://{HOST}:{ports.ministack}"))


def _sam(home: Home, verb: str, template: Path) -> tuple[str | Path, ...]:
    return (program("sam", "sam"), verb, "--template-file", template, "--config-file", _config(home))


def _config(home: Home) -> Path:
    return home.scratch / "samconfig.toml"


def _sam_env(home: Home) -> dict[str, str]:
    env = base_env(home)
    with_pip = f"{program('uv', 'python3').parent}{os.pathsep}{env['PATH']}"  # a system's Python may have no pip
    return env | {"PATH": with_pip, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION}


def require_environments() -> None:
    """Check that sam and MiniStack are installed.

    Raises:
        StackError: says how to get them.
    """
    missing = [name for name in ("sam", "ministack") if not program(name, name).exists()]
    if missing:
        targets = " ".join(f".envs/{name}/.stamp" for name in missing)
        raise StackError(f"{' and '.join(missing)} are not installed here: make {targets}")
