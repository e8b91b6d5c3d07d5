"""A NATS server that the tests have for themselves; gone when they are."""

import contextlib
import os
import subprocess

from .paths import ROOT


@contextlib.contextmanager
def nats(folder, port=-1, *flags):
    """Gives the server's URL; `folder` is for its notes, and the port one that the kernel chooses if none is given."""
    guardian = ROOT / "Tests/support/nats-server"
    command = [guardian, str(os.getpid()), "-a", "127.0.0.1", "-p", str(port), "--ports_file_dir", folder]
    command += flags
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) as process:
        line = next(line for line in process.stdout if "Listening for client connections on" in line)
        try:
            yield "nats://" + line.split()[-1]
        finally:
            process.terminate()
