"""``shuqiao``: the hub's command line. :mod:`application` names its commands, :mod:`exit_codes` what they end with."""

from __future__ import annotations

import os
import sys

from shuqiao.cli import failures
from shuqiao.cli.application import COMMANDS, GROUPS, application
from shuqiao.settings import SettingsError, read

__all__ = ["application", "main"]

_OWN_ENVIRONMENT = ("run", "doctor")
"""These ask the person's own environment; the others take on that of the stack that runs in this folder."""


def main() -> None:
    """The entry point. Commands beside a local stack speak to it without being told where it is."""
    asked = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    completing = "_SHUQIAO_COMPLETE" in os.environ
    known = asked in COMMANDS or asked in GROUPS
    if asked and asked not in _OWN_ENVIRONMENT:
        from shuqiao.stack.environment import join  # noqa: PLC0415  (help needs none of it)

        try:
            join(read().run_dir)
        except SettingsError as error:
            failure = failures.explained(error)
            failures.show(failure, as_json="--json" in sys.argv)
            sys.exit(failure.code)
    application(only=asked if known and not completing else None, whole=known or completing)()
