"""How a function's own log lines look."""

import logging

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from kite_relay.logging import scrubber


class ScrubbedLine(LambdaPowertoolsFormatter):
    """Powertools' JSON line, scrubbed when it is finished."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line without its secrets."""
        return scrubber.scrub(super().format(record))
