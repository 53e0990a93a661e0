"""The wizard asks again until an answer can be one, stores secrets where they belong, and writes none elsewhere."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tools.cli import main, setup
from tools.cli.samconfig import write_samconfig

SECRET = "s3cretS3cretS3cret"


def test_one_machine(tmp_path: Path) -> None:
    """Mistakes are told at once; the file is the owner's alone; the secret is not echoed."""
    path = tmp_path / ".env"
    typed = f"not an id\nab1234\nshort\nkey123456789\n{SECRET}\n"
    result = CliRunner().invoke(main.app, ["setup", "--env-file", str(path)], input=typed)
    assert result.exit_code == 0, result.output
    text = path.read_text()
    assert "ALLOWED_USER_IDS=AB1234" in text
    assert "KITE_API_KEY=key123456789" in text
    assert f"KITE_API_SECRET={SECRET}" in text
    assert path.stat().st_mode & 0o077 == 0
    assert SECRET not in result.output
    assert (result.output.count("That is none"), "encrypted" in result.output) == (2, False)
    assert "http://localhost:4600/callback" in result.output


def test_what_is_stored_may_stay(tmp_path: Path) -> None:
    """A second run changes nothing unless it is told to."""
    path = tmp_path / ".env"
    path.write_text("KITE_API_KEY=key123456789\nKITE_API_SECRET=other12345\n")
    result = CliRunner().invoke(main.app, ["setup", "--env-file", str(path)], input="AB1234\n\n\n")
    assert result.exit_code == 0, result.output
    assert "KITE_API_SECRET=other12345" in path.read_text()


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        (setup.stack_word, "kite-relay", "1st"),
        (setup.key_word, "abcd1234efgh", "with space"),
        (setup.relay_word, "wss://relay.example.com", "http://relay.example.com"),
        (setup.users_word, "AB1234", "AB-1234"),
    ],
)
def test_answers_are_checked(read: setup.Read, good: str, bad: str) -> None:
    """Each question knows what can be an answer."""
    assert read(good) == good
    with pytest.raises(ValueError, match=r"\w"):
        read(bad)


def test_samconfig_keeps_what_a_person_wrote(tmp_path: Path) -> None:
    """Only our own table is written anew, as often as one likes."""
    path = tmp_path / "samconfig.toml"
    path.write_text(
        'version = 0.1\n\n[default.deploy.parameters]\nstack_name = "old"\n\n'
        "[default.build.parameters]\ncached = true\n"
    )
    for _ in range(2):
        write_samconfig(path, "mine", "ap-south-1", {"AllowedUserIds": "AB1234,CD5678"})
    found = tomllib.loads(path.read_text())
    assert found["default"]["build"]["parameters"] == {"cached": True}
    assert found["default"]["deploy"]["parameters"]["stack_name"] == "mine"
    assert found["default"]["deploy"]["parameters"]["parameter_overrides"] == 'AllowedUserIds="AB1234,CD5678"'
    assert path.read_text().count("[default.deploy.parameters]") == 1
