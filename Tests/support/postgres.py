"""A PostgreSQL server that the tests have for themselves; gone when they are."""

import itertools
import os
import pathlib
import signal
import subprocess
import urllib.parse

from .guarded import Guarded


def name_of(url):
    """The database that a URL of `make_database` names."""
    return urllib.parse.urlsplit(url).path.removeprefix("/")


ENGINES = ("SQLite", "PostgreSQL")
# A server of the tests has its processors to share with many others, which must not make a statement fail. How long a
# session may idle in a transaction stays as it is: a node that stands still has to lose its locks.
PATIENCE = "-c statement_timeout=300s -c lock_timeout=120s"
CONNECT_SECONDS = 300


def database_flags(request):
    """What tells a server where to keep its data, for a fixture that has the engines as parameters. The flags mean the same data
    as long as --data does."""
    return [] if request.param == "SQLite" else ["--database", request.getfixturevalue("postgres").make_database()]


class PostgreSQL(Guarded):
    """A context manager. Killed with -9 it comes back by itself, unless `stay_down` says otherwise."""

    def __init__(self, *settings):
        super().__init__("postgres-server", *settings)
        self.folder, self.port = self.words[0], int(self.words[1])
        self._numbers = itertools.count(1)

    def run(self, sql, database="postgres"):
        """Runs statements as the superuser; returns what they print, without decoration."""
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U", "octet"]
        return subprocess.check_output([*command, "-d", database, "-c", sql], text=True)

    def make_database(self, port=None):
        """A new database's URL, by way of the server's Unix socket, or of a port that leads to the server."""
        name = f"test{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        where = {"host": self.folder, "port": self.port} if port is None else {"host": "127.0.0.1", "port": port}
        parameters = {**where, "connect_timeout": CONNECT_SECONDS, "options": PATIENCE}
        return f"postgres://octet@/{name}?{urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote, safe='')}"

    def kill(self):
        """kill -9 of the server and of all its processes; it is started again as soon as that is seen."""
        postmaster = int((pathlib.Path(self.folder) / "data/postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(postmaster)], stdout=subprocess.PIPE, text=True).stdout.split()
        for process in [postmaster, *map(int, children)]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass  # It has ended by itself, as its postmaster is gone.
