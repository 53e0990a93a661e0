"""`kite-relay droplet`: the user data is whole, valid, and holds no secret."""

import yaml

from tools.cli.droplet import render

STACK = {
    "PARAMETER_PREFIX": "/kite-relay",
    "BOARD_TABLE": "kite-relay-board",
    "QUEUE_URL": "https://sqs.ap-south-1.amazonaws.com/123456789012/kite-relay-announcements",
    "STATUS_URL": "https://abc.execute-api.ap-south-1.amazonaws.com/",
}
DOCUMENT = render(STACK, image="kite-relay-worker:1.2.3", host="", instruments="NSE:NIFTY 50,BSE:SENSEX")


def files() -> dict[str, str]:
    """Give the files that it writes."""
    return {one["path"]: one["content"] for one in yaml.safe_load(DOCUMENT)["write_files"]}


def test_everything_is_filled_in() -> None:
    """No mark is left, and cloud-init knows it by its first line."""
    assert DOCUMENT.startswith("#cloud-config\n")
    assert "@@" not in "\n".join(line for line in DOCUMENT.splitlines() if not line.startswith("#"))


def test_the_workers_settings_are_the_stacks() -> None:
    """What the worker needs to find its stack."""
    told = dict(line.split("=", 1) for line in files()["/etc/kite-relay/worker.env"].splitlines())
    assert told["BOARD_TABLE"] == "kite-relay-board"
    assert told["QUEUE_URL"] == STACK["QUEUE_URL"]
    assert told["INSTRUMENTS"] == "NSE:NIFTY 50,BSE:SENSEX"
    assert told["DASHBOARD_ORIGINS"] == "https://abc.execute-api.ap-south-1.amazonaws.com"
    assert "region = ap-south-1" in files()["/etc/kite-relay/aws.config"]


def test_the_embedded_files_are_those_of_the_repository() -> None:
    """Indented and taken back, they are the same."""
    assert yaml.safe_load(files()["/etc/kite-relay/compose.yaml"])["services"].keys() == {
        "worker",
        "relay",
        "valkey",
        "caddy",
    }
    assert files()["/etc/kite-relay/.env"] == "KITE_RELAY_IMAGE=kite-relay-worker:1.2.3\nRELAY_HOST=\n"


def test_no_secret_is_in_it() -> None:
    """User data stays readable on the droplet: the worker's key comes another way."""
    assert "AWS_SECRET_ACCESS_KEY" not in DOCUMENT
    assert "SecretAccessKey" not in DOCUMENT
    assert "/etc/kite-relay/aws.json" not in files()
