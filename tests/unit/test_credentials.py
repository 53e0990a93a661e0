"""The worker's key is handed to boto3 for a few minutes only, so that another one counts without a restart."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.credentials import create_credential_resolver
from botocore.session import Session

from worker.credentials import BOTO3_ASKS_EARLY, hand_over

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
KEY = json.dumps({"AccessKeyId": "AKIAFIRST", "SecretAccessKey": "first-secret"})


def test_what_boto3_reads() -> None:
    """The format of credential_process, with an expiry beyond the margin at which boto3 asks again."""
    told = json.loads(hand_over(KEY, NOW, 300))
    assert (told["Version"], told["AccessKeyId"], told["SecretAccessKey"]) == (1, "AKIAFIRST", "first-secret")
    assert datetime.fromisoformat(told["Expiration"]) == NOW + BOTO3_ASKS_EARLY + timedelta(seconds=300)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"AccessKeyId": "AKIA-only"}', "secret-that-is-no-json"])
def test_a_broken_file_is_told_without_its_content(text: str) -> None:
    """The sentence says what to do, and quotes nothing."""
    with pytest.raises(ValueError, match="kite-relay rotate") as caught:
        hand_over(text, NOW, 300)
    assert not text or text not in str(caught.value)


def test_boto3_takes_the_next_key_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same session signs with the new key as soon as the old one's minutes are over."""
    key, config = tmp_path / "aws.json", tmp_path / "config"
    key.write_text(KEY)
    config.write_text(
        f"[default]\nregion = ap-south-1\ncredential_process = {sys.executable} -m worker.credentials {key}\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("KEY_SECONDS", "0")
    credentials = create_credential_resolver(Session()).load_credentials()
    assert credentials
    assert credentials.get_frozen_credentials().access_key == "AKIAFIRST"
    key.write_text(KEY.replace("FIRST", "SECOND"))
    assert credentials.get_frozen_credentials().access_key == "AKIASECOND"


def test_a_missing_file_ends_it_with_a_sentence(tmp_path: Path) -> None:
    """boto3 shows what the process said."""
    command = [sys.executable, "-m", "worker.credentials", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    assert done.returncode == 1
    assert "kite-relay rotate" in done.stderr
