"""The development stack's manners: it ends what it starts, and what a killed one left, and says what it lacks."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path

import psutil
import pytest

from tools.devstack.children import Children, end_leftovers
from tools.devstack.cloud import fingerprint, keep
from tools.devstack.places import HOST, ROOT, Home, Ports
from tools.devstack.trouble import StackError

DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from tools.devstack.children import Children
from tools.devstack.places import Home

async def main():
    child = await Children(Home(Path(sys.argv[1]))).start("sleeper", ["sleep", "600"], os.environ)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""

RUN = "import sys; from tools.devstack.__main__ import main; sys.exit(main('manners'))"
"""`make run`, in a folder of its own: a developer may have one running."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A stack's folder of its own."""
    found = Home(tmp_path / "stack")
    for part in (found.logs, found.scratch, found.state):
        part.mkdir(parents=True)
    return found


async def devstack(ports: Ports) -> Process:
    """Type `make run`, with ports of its own."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN, "run"),
        cwd=ROOT,
        env=os.environ | {"KITE_RELAY_PORT_BASE": str(ports.base)},
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )


async def test_what_a_killed_run_left_behind_is_ended_and_named(home: Home) -> None:
    """By process id and time of birth; a second look finds nothing."""
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, str(home.path), cwd=ROOT)
    assert await killed.wait() == -signal.SIGKILL
    (row,) = json.loads(home.pids.read_text())["children"]
    assert psutil.pid_exists(row["pid"])
    assert end_leftovers(home) == ["sleeper"]
    assert not psutil.pid_exists(row["pid"]) or psutil.Process(row["pid"]).status() == psutil.STATUS_ZOMBIE
    assert end_leftovers(home) == []


async def test_another_process_under_an_old_number_is_left_alone(home: Home) -> None:
    """The number alone proves nothing."""
    children = Children(home)
    child = await children.start("sleeper", ["sleep", "600"], os.environ)
    record = json.loads(home.pids.read_text())
    record["children"][0]["born"] -= 1
    record["owner_born"] -= 1
    home.pids.write_text(json.dumps(record))
    assert end_leftovers(home) == []
    assert psutil.pid_exists(child.pid)
    await children.stop_all()
    assert not psutil.pid_exists(child.pid)


async def test_one_folder_has_one_stack(home: Home) -> None:
    """A run that lives is named with what to do."""
    record = {"owner": os.getppid(), "owner_born": psutil.Process(os.getppid()).create_time(), "children": []}
    home.pids.write_text(json.dumps(record))
    with pytest.raises(StackError, match=r"another one runs already .* press Ctrl-C there"):
        end_leftovers(home)


@pytest.mark.stack
@pytest.mark.xdist_group("make run")
async def test_a_port_that_is_taken_is_named() -> None:
    """One sentence with what to do, exit code 1, and nothing was started."""
    ports = Ports.free()
    with socket.create_server((HOST, ports.relay)):
        run = await devstack(ports)
        said, _ = await run.communicate()
    assert run.returncode == 1
    assert said.decode().splitlines()[-1] == (
        f"kite-relay: another program listens on {ports.relay} (relay). "
        "End it, or move all ports: KITE_RELAY_PORT_BASE=4700 make run"
    )


@pytest.mark.stack
@pytest.mark.xdist_group("make run")
async def test_ctrl_c_leaves_nothing_behind() -> None:
    """Pressed in the middle of the start: every program has ended, every port is free, and the exit code is 0."""
    ports = Ports.free()
    run = await devstack(ports)
    started: list[psutil.Process] = []
    while len(started) < 3:  # MiniStack, the simulator, and the first step of sam
        assert run.returncode is None
        started = psutil.Process(run.pid).children(recursive=True)
        await asyncio.sleep(0.05)
    run.send_signal(signal.SIGINT)
    said, _ = await asyncio.wait_for(run.communicate(), 60)
    assert run.returncode == 0, said.decode()
    assert said.decode().splitlines()[-1] == "Everything that was started has ended."
    assert [process for process in started if process.is_running()] == []
    assert ports.taken() == {}


def test_sources_are_known_by_their_content(tmp_path: Path) -> None:
    """What sam would build anew has another fingerprint; what Python leaves behind has none."""
    core, functions, template = tmp_path / "core", tmp_path / "functions", tmp_path / "template.yaml"
    for folder in (core, functions, core / "__pycache__"):
        folder.mkdir()
    template.write_text("Resources: {}")
    (core / "a.py").write_text("1")
    seen = [fingerprint(tmp_path)]
    (core / "__pycache__" / "a.pyc").write_text("compiled")
    assert fingerprint(tmp_path) == seen[0]
    for path, text in ((core / "a.py", "2"), (functions / "a.py", "2"), (template, "Resources: {A: 1}")):
        path.write_text(text)
        seen.append(fingerprint(tmp_path))
    (functions / "a.py").rename(functions / "b.py")
    seen.append(fingerprint(tmp_path))
    assert len(set(seen)) == len(seen)


def test_only_the_builds_that_were_used_last_are_kept(tmp_path: Path) -> None:
    """Every change of the sources makes another one."""
    for age, name in enumerate(("now", "before", "older", "oldest")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "template.yaml").touch()
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    keep(tmp_path / "older")
    assert {path.name for path in tmp_path.iterdir()} == {"now", "older"}
