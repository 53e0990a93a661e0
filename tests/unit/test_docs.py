"""The documents are held to the code: links lead somewhere, commands exist, whatever can be set or told is in them."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.documents import ROOT, anchors, blocks, code, every_document, links, section
from tests.policies import Template
from tools.cli.document import HEAD
from tools.cli.exits import Exits
from tools.cli.main import VERBS, app
from tools.promises.__main__ import RESULTS, with_promises
from tools.settings_page import PATH, document

DOCUMENTS = every_document()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
SHOWN = sorted({(path, line.strip()) for path in DOCUMENTS for line in code(path.read_text())})
PATHS = re.compile(r"(?:^|[\s=(])((?:\.ci|core|docs|functions|infra|requirements|tests|tools|worker)/[\w./-]*\w)")


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in the project's folder."""
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - make and bash


def name(path: Path) -> str:
    """Name a document in a test's name."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(path: Path) -> None:
    """To a file of the project, and to a heading where it names one."""
    broken = []
    for link in links(path.read_text()):
        to, _, anchor = link.partition("#")
        target = (path.parent / to).resolve() if to else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert broken == []


def test_every_path_shown_exists() -> None:
    """Of scripts, folders, tests: a promise's row names a test within a file."""
    gone = {(name(path), found) for path, line in SHOWN for found in PATHS.findall(line) if not (ROOT / found).exists()}
    assert gone == set()


def made() -> set[str]:
    """List the targets that the documents tell to make."""
    shown = (line for _, line in SHOWN)
    return {
        word
        for line in shown
        for command in re.findall(r"(?:^|(?<=&& ))(?:[A-Z_]+=\S+ )*make((?: +[\w./=-]+)*)", line)
        for word in command.split()
        if "=" not in word
    }


def test_every_target_shown_can_be_made() -> None:
    """`make -n` knows it."""
    targets = made()
    assert {"run", "test", "demo", "check", "deploy"} <= targets
    done = run("make", "-n", *targets)
    assert done.returncode == 0, done.stderr


def command(words: list[str]) -> tuple[Any, list[str]]:
    """Find the command that words begin with; gives it and the rest of the words."""
    found: Any = typer.main.get_command(app)
    while words and (inner := getattr(found, "get_command", lambda *_: None)(None, words[0])):
        found, words = inner, words[1:]
    return found, words


def typed() -> Iterator[tuple[str, list[str]]]:
    """Give every `kite-relay ...` that is shown, with its words."""
    for path, line in SHOWN:
        if path.name not in ("cli.md", "CHANGELOG.md") and "<" not in line:
            for text in re.findall(r"(?:^|[\s/])kite-relay ((?:[a-z-]|\d).*)", line):
                yield f"{name(path)}: {line}", re.split(r"[,#>]", text)[0].split()


def test_every_verb_and_option_shown_exists() -> None:
    """As the command line itself knows them."""
    wrong = []
    shown = list(typed())
    for where, words in shown:
        found, rest = command(words)
        known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
        options = {word.partition("=")[0] for word in rest if word.startswith("-")}
        if found.name not in {*VERBS, *(words[:2])} or not options <= {*known, "--help"}:
            wrong.append(where)
    assert wrong == []
    assert {words[0] for _, words in shown} >= {"setup", "doctor", "droplet", "rotate", "keys", "serve"}


def test_every_exit_code_is_documented() -> None:
    """The table names each, and no other."""
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", HEAD, re.MULTILINE)} == {*Exits}


def test_every_alarm_has_its_row_in_the_runbook() -> None:
    """And every row an alarm: what it means, how to look, what to do."""
    rows = re.findall(r"^\| `([a-z-]+)` \|(.*)\|$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    template = Template()
    alarms = template.of_type("AWS::CloudWatch::Alarm").values()
    assert {name for name, _ in rows} == {template.resolve(one["Properties"])["AlarmName"] for one in alarms}
    assert all(len(cells.split("|")) == 3 and all(map(str.strip, cells.split("|"))) for _, cells in rows)


def test_every_setting_is_documented() -> None:
    """The document is what the settings and the template say of themselves."""
    assert PATH.read_text() == document(), "docs/settings.md is old: run `make docs`"


def test_the_readmes_table_of_promises_is_what_was_measured() -> None:
    """Nobody types a number there."""
    readme = (ROOT / "README.md").read_text()
    assert with_promises(readme, json.loads(RESULTS.read_text())) == readme, "run `python -m tools.promises --render`"


@pytest.mark.parametrize(
    ("document", "heading", "rows"),
    [("README.md", "Every morning", 5), ("README.md", "Promises, measured", 20), ("README.md", "What it costs", 3)],
)
def test_a_table_of_the_readme_is_there(document: str, heading: str, rows: int) -> None:
    """With as many rows as it should have."""
    lines = [line for line in section(ROOT / document, heading).splitlines() if line.startswith("|")]
    assert len(lines) == rows + 2


def test_what_is_to_be_typed_is_a_shells_language() -> None:
    """Bash reads every block of the document of the deployment without complaint."""
    for block in blocks((ROOT / "docs/deploy.md").read_text()):
        done = run("bash", "-n", "-c", block)
        assert done.returncode == 0, f"{block}\n{done.stderr}"


def test_the_python_that_is_shown_is_python() -> None:
    """Every block that imports something compiles."""
    shown = [block for path in DOCUMENTS for block in blocks(path.read_text()) if re.match(r"(from|import) \w", block)]
    assert shown
    for block in shown:
        compile(block, "a document", "exec")
