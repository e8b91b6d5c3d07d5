"""A PostgreSQL server that the tests have for themselves; gone when they are."""

import itertools
import os
import pathlib
import signal
import subprocess
import urllib.parse

from .paths import ROOT


class PostgreSQL:
    """A context manager. Killed with -9 it comes back by itself, unless `stay_down` says otherwise."""

    def __init__(self, *settings):
        command = [ROOT / "Tests/support/postgres-server", str(os.getpid()), *settings]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        if not words or words[0] != "ready":
            raise RuntimeError("the PostgreSQL server did not start")
        self.folder, self.port = words[1], int(words[2])
        self._numbers = itertools.count(1)

    def run(self, sql, database="postgres"):
        """Runs statements as the superuser; returns what they print, without decoration."""
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U", "octet"]
        return subprocess.check_output([*command, "-d", database, "-c", sql], text=True)

    def make_database(self):
        """A new database's URL, by way of the server's Unix socket."""
        name = f"test{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return f"postgres://octet@/{name}?host={urllib.parse.quote(self.folder, safe='')}&port={self.port}"

    def kill(self):
        """kill -9 of the server and of all its processes; it is started again as soon as that is seen."""
        postmaster = int((pathlib.Path(self.folder) / "data/postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(postmaster)], stdout=subprocess.PIPE, text=True).stdout.split()
        for process in [postmaster, *map(int, children)]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass  # It has ended by itself, as its postmaster is gone.

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
