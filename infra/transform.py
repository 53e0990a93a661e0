"""Turn the SAM template into the CloudFormation that AWS would make of it, offline: linters see more in that.

Runs in the environment of aws-sam-cli: `python infra/transform.py template.yaml out.json`.
"""

import json
import sys
from pathlib import Path

from boto3 import Session
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ARTIFACTS = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


def transform(template: dict) -> dict:
    """Do what `sam package` and then AWS's own transform would do."""
    for name, resource in template["Resources"].items():
        if artifact := ARTIFACTS.get(resource["Type"]):
            resource["Properties"][artifact] = f"s3://artifacts/{name}.zip"
    defaults = {name: parameter.get("Default", "") for name, parameter in template.get("Parameters", {}).items()}
    return Translator({}, Parser(), boto_session=Session(region_name="ap-south-1")).translate(template, defaults)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(transform(yaml_parse(source.read_text())), default=str, indent=1) + "\n")
