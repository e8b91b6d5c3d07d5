"""Servers that a guardian program runs for the tests."""

import os
import subprocess

from .paths import ROOT


class Guarded:
    """A context manager. The guardian, one of the programs in this folder, ends its servers when it is ended or when the
    tests are gone.
    """

    def __init__(self, guardian, *arguments):
        command = [ROOT / "Tests/support" / guardian, str(os.getpid()), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        ready, *self.words = self.process.stdout.readline().split() or [""]
        if ready != "ready":
            raise RuntimeError(f"{guardian} did not start its servers")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
