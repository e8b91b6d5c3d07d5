"""octetd's subcommands, which work and end."""

import json
import os
import subprocess

from .server import BUILD

DEADLINE_SECONDS = 120


def octetd(*arguments, under=(), **environment):
    """`under` is a program and its arguments that become octetd in the end."""
    return subprocess.run(
        [*under, BUILD / "octetd", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        env=os.environ | environment,
    )


def last_message(result):
    """The reason that a subcommand that failed has given."""
    return json.loads(result.stderr.strip().splitlines()[-1]).get("message", "")
