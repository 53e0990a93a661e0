"""How a test leads botocore to an AWS of its own, and away from the settings of whoever runs it."""

import os

from tools.devstack.cloud import aws_env


def environment(endpoint: str) -> dict[str, str]:
    """Give the variables."""
    return aws_env(endpoint) | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
