"""Where a development stack lives: its ports on the loopback, its folder under `.run/`, the environments it runs in."""

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from tools.ports import port_base

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports, one after the other from `base`."""

    base: int

    @property
    def page(self) -> int:
        """The front page: everything that a browser opens."""
        return self.base

    @property
    def ministack(self) -> int:
        """The embedded AWS."""
        return self.base + 1

    @property
    def simulator(self) -> int:
        """The simulated Kite: REST, login page and ticker."""
        return self.base + 2

    @property
    def relay(self) -> int:
        """The worker's relay."""
        return self.base + 3

    @property
    def worker(self) -> int:
        """The worker's own web page: health and metrics."""
        return self.base + 4

    @property
    def recorder(self) -> int:
        """Where calls to the embedded AWS are written down, if they are."""
        return self.base + 5

    @property
    def named(self) -> dict[str, int]:
        """All of them, by what they are for."""
        names = ("page", "ministack", "simulator", "relay", "worker", "recorder")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def configured(cls) -> "Ports":
        """Take the base from KITE_RELAY_PORT_BASE, or 4600."""
        return cls(port_base())

    @classmethod
    def free(cls) -> "Ports":
        """Find as many ports in a row that nobody uses now."""
        for base in range(20000 + os.getpid() % 1000 * 10, 60000, 10):
            ports = cls(base)
            if not ports.taken():
                return ports
        raise RuntimeError("no free ports in a row on this machine")

    def taken(self) -> dict[str, int]:
        """List the ports that somebody listens on already."""
        return {name: port for name, port in self.named.items() if _in_use(port)}


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one stack: logs, scratch and state; nothing is written anywhere else."""

    path: Path

    @classmethod
    def named(cls, name: str) -> "Home":
        """Give the folder `.run/<name>`, made if need be."""
        home = cls(ROOT / ".run" / name)
        for part in (home.logs, home.scratch, home.state):
            part.mkdir(parents=True, exist_ok=True)
        return home

    def forget(self) -> None:
        """Empty the worker's state: the embedded AWS and the simulated market begin anew too."""
        shutil.rmtree(self.state)
        self.state.mkdir()

    @property
    def logs(self) -> Path:
        """What each program printed, one file for each."""
        return self.path / "logs"

    @property
    def scratch(self) -> Path:
        """TMPDIR of the programs."""
        return self.path / "tmp"

    @property
    def state(self) -> Path:
        """STATE_DIR of the worker."""
        return self.path / "state"

    @property
    def builds(self) -> Path:
        """What was built, each by its sources' fingerprint; all stacks share it."""
        return self.path.parent / "builds"

    @property
    def key(self) -> Path:
        """The worker's access key, as `kite-relay rotate` writes it."""
        return self.path / "aws.json"

    @property
    def pids(self) -> Path:
        """Who was started, so that a later run can end what this one could not."""
        return self.path / "pids.json"


def program(environment: str, name: str) -> Path:
    """Give the path of a program in one of the environments under `.envs/`."""
    return ROOT / ".envs" / environment / "bin" / name
