"""The files of the droplet, read by those who will read them there: hadolint, compose, Caddy, cloud-init, systemd."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
