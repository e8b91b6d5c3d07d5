"""Runs the command-line client."""

import dataclasses
import json
import os
import subprocess

from support.server import BUILD

PATIENCE_SECONDS = 30


@dataclasses.dataclass
class Result:
    code: int
    out: str
    error: str

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Octet:
    """`octet` with a configuration of its own, aimed at one server."""

    def __init__(self, folder, address=None, *flags):
        self.folder = folder
        self.flags = flags
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("OCTET_", "XDG_"))
        } | {"OCTET_PROFILES": str(folder / "config")}
        if address is not None:
            self.environment["OCTET_ADDRESS"] = address

    def __call__(self, *arguments, stdin=""):
        process = subprocess.run(
            [BUILD.resolve() / "octet", *arguments, *self.flags],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
            timeout=PATIENCE_SECONDS,
        )
        return Result(process.returncode, process.stdout, process.stderr)
