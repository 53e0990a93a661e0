"""The files of the droplet, read by those who will read them there: hadolint, compose, Caddy, cloud-init, systemd."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.test_cli_droplet import DOCUMENT

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"


def run(program: str, *arguments: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a validator and give what it said; skip with a sentence where it is not installed."""
    found = shutil.which(program) or shutil.which(str(Path(sys.executable).with_name(program)))
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is missing: apt-get install {program}")
    done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - a validator, on our own files
        [found, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | (env or {}),
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_hadolint_finds_nothing() -> None:
    """The Dockerfile keeps to the rules that its linter knows."""
    assert run("hadolint", ROOT / "worker" / "Dockerfile") == ""


def test_compose_keeps_to_its_schema() -> None:
    """An unknown key would be found."""
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", INFRA / "compose.yaml")


def test_caddy_takes_its_file() -> None:
    """Caddy adapts and provisions it."""
    config = ("--adapter", "caddyfile", "--config", INFRA / "Caddyfile")
    assert "Valid configuration" in run("caddy", "validate", *config, env={"RELAY_HOST": "relay.example.com"})


def test_cloud_init_takes_the_user_data(tmp_path: Path) -> None:
    """The document as the command line writes it."""
    document = tmp_path / "user-data.yaml"
    document.write_text(DOCUMENT)
    assert "Valid" in run("cloud-init", "schema", "--config-file", document)


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Every key is known, and what it lets through is little."""
    unit = tmp_path / "kite-relay-worker.service"
    text = (INFRA / unit.name).read_text()
    unit.write_text(text.replace("/opt/kite-relay/venv/bin/python", "/bin/true"))
    assert "gnoring" not in run("systemd-analyze", "verify", unit)
    exposure = run("systemd-analyze", "security", "--offline=true", unit)
    assert float(exposure.rsplit("level for kite-relay-worker.service: ", 1)[1].split()[0]) < 2


def test_a_release_builds_on_a_digest_and_tells_all_of_them(tmp_path: Path) -> None:
    """The workflow's own step, with a registry that answers; one that does not must end the release."""
    steps = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]["image"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("id") == "images"]
    for folder in ("worker", "infra"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "worker/Dockerfile", tmp_path / "worker")
    shutil.copy(INFRA / "compose.yaml", tmp_path / "infra")
    docker, output = tmp_path / "docker", tmp_path / "output"
    for ending, asked in (("echo sha256:abc", True), ("exit 1", False)):
        docker.write_text(f"#!/bin/sh\n{ending}\n")
        docker.chmod(0o755)
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(output)}
        done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=env, check=False)  # noqa: S603, S607 - ours
        assert (done.returncode == 0) == asked
    assert output.read_text() == "base=docker.io/library/python:3.13-slim-trixie@sha256:abc\n"
    assert (tmp_path / ".run/images.txt").read_text().splitlines() == [
        "docker.io/library/python:3.13-slim-trixie@sha256:abc",
        "docker.io/valkey/valkey:8-alpine@sha256:abc",
        "docker.io/library/caddy:2.10-alpine@sha256:abc",
    ]
