"""``python -m registry.api``: the API on loopback; settings come from the environment, see registry/api/settings.py."""

from __future__ import annotations

import argparse
import sys

from registry.api.server import serve
from registry.api.settings import ApiSettingsError, from_environment
from registry.api.tokens.token_keys import TokenKeyError
from registry.domain.credit.rule_files import RuleFileError
from registry.domain.licences.loading import LicenceTypeError


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; 2 when a setting is wrong."""
    parser = argparse.ArgumentParser(prog="python -m registry.api", description=__doc__)
    parser.add_argument("--port", type=int, help="instead of SHUQIAO_API_PORT; 0: any free port")
    arguments = parser.parse_args()
    try:
        serve(from_environment(port=arguments.port))
    except (ApiSettingsError, LicenceTypeError, RuleFileError, TokenKeyError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"the API cannot listen: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
