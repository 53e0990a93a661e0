"""`python -m tools.settings_page`: writes docs/settings.md from the settings themselves."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

from worker.settings import Settings

ROOT = Path(__file__).parents[1]
PATH = ROOT / "docs" / "settings.md"
HEAD = """# Settings

Written by `make docs` from the code and the template: change them there. Secrets are none of these: they stand in SSM,
or in the one-machine mode in the `.env` file, and `kite-relay setup` asks for them.
"""


def document() -> str:
    """Write the whole document."""
    template: dict[str, Any] = cfn_yaml.load(str(ROOT / "template.yaml"))
    parts = {
        "The template's parameters\n\nIn `samconfig.toml`, which `kite-relay setup` writes.": parameters(template),
        "The worker's environment\n\nOn the droplet in `/etc/kite-relay/worker.env`.": worker(),
        "The functions' environment\n\nThe template sets it; nobody needs to.": functions(template),
    }
    return "\n".join([HEAD, *(f"## {words}\n\n" + "\n".join(rows) + "\n" for words, rows in parts.items())])


def parameters(template: Mapping[str, Any]) -> Iterator[str]:
    """Write the template's parameters as rows."""
    yield from ("| Parameter | Default | Meaning |", "|---|---|---|")
    for name, one in template["Parameters"].items():
        default = _code(one["Default"]) if "Default" in one else "must be given"
        yield f"| `{name}` | {default} | {one['Description']} |"


def worker() -> Iterator[str]:
    """Write the worker's settings as rows."""
    yield from ("| Variable | Default | Meaning |", "|---|---|---|")
    for name, field in Settings.model_fields.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        yield f"| `{name.upper()}` | {_code(default)} | {field.description} |"


def functions(template: Mapping[str, Any]) -> Iterator[str]:
    """Write the functions' variables as rows: whose each is, and what the template puts there."""
    yield from ("| Variable | Function | From |", "|---|---|---|")
    every = {"all": template["Globals"]["Function"]}
    resources = template["Resources"].items()
    own = {name: one["Properties"] for name, one in resources if one["Type"] == "AWS::Serverless::Function"}
    for whose, properties in (every | own).items():
        for name, value in properties.get("Environment", {}).get("Variables", {}).items():
            yield f"| `{name}` | {whose} | `{_short(value)}` |"


def _code(default: object) -> str:
    return "" if default in (None, "") else f"`{default}`"


def _short(value: Any) -> str:
    match value:
        case {"Ref": name} | {"Fn::GetAtt": [name, *_]} | {"Fn::Sub": name}:
            return str(name)
        case {"Fn::If": [condition, yes, no]}:
            return f"{_short(yes)} if {condition}, else {_short(no) or 'empty'}"
    return json.dumps(value).strip('"')


if __name__ == "__main__":
    PATH.write_text(document(), encoding="utf-8")
