"""Fuzz one parser, guided by the branches that its inputs reach: `python -m tests.fuzz frames 10000000`.

libFuzzer, by atheris, in the environment of requirements/fuzz.in. An input that breaks the parser is written to
`crashes/`, from where the tests read it ever after; the inputs that reached something new stay in `.run/fuzz`.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["json", "kite_relay.domain", "worker.relay_commands"]):
    from tests.fuzz.targets import CRASHES, TARGETS

LONGEST = 4096
"""What the relay takes of a client; an announcement and a fuzzed frame need not be longer."""


def main(name: str, runs: int) -> None:
    """Run until the count is reached or the parser breaks; ends the process either way."""
    target = TARGETS[name]
    CRASHES.mkdir(exist_ok=True)
    corpus = Path(".run", "fuzz", name)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        corpus.joinpath(f"seed-{number}").write_bytes(seed)
    options = [f"-runs={runs}", f"-max_len={LONGEST}", f"-artifact_prefix={CRASHES}/{name}-"]
    if name != "frames":
        options.append(f"-dict={CRASHES.with_name('words.dict')}")
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda raw: target.takes(raw) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
