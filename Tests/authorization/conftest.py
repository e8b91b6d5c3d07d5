"""One server for each engine, with callers and things of all kinds, which all tests of a module share."""

import subprocess

import pytest
from support.authorization.world import World
from support.board import PROGRAM
from support.notices import FLAGS
from support.postgres import PostgreSQL
from support.server import Server

COUNT = (
    "SELECT calls, translate(query, E'\n\t', '  ') FROM pg_stat_statements"
    " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = 'test1')"
)
END = "the end"


class StatementCounter(PostgreSQL):
    """A PostgreSQL server that counts the statements of its first database."""

    def __init__(self):
        super().__init__("shared_preload_libraries=pg_stat_statements", "pg_stat_statements.max=10000")
        self.run("CREATE EXTENSION pg_stat_statements")
        command = ["psql", "-XqAt", "-F", "\t", "-h", self.folder, "-p", str(self.port), "-U", "octet", "postgres"]
        self.client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def count(self):
        """How often each statement was executed so far, by its text."""
        self.client.stdin.write(f"{COUNT};\n\\echo {END}\n")
        self.client.stdin.flush()
        counted = {}
        for line in iter(self.client.stdout.readline, f"{END}\n"):
            calls, text = line.rstrip("\n").split("\t", 1)
            counted[text] = counted.get(text, 0) + int(calls)
        return counted

    def stop(self):
        self.client.stdin.close()
        self.client.wait()
        self.client.stdout.close()
        super().stop()


@pytest.fixture(scope="module")
def counter():
    with StatementCounter() as counter:
        yield counter


@pytest.fixture(scope="module", params=("SQLite", "PostgreSQL"))
def lasting_world(request, tmp_path_factory):
    is_counted = request.param == "PostgreSQL"
    flags = ["--database", request.getfixturevalue("counter").make_database()] if is_counted else []
    with (
        Server(tmp_path_factory.mktemp("data"), *FLAGS, *flags, program=PROGRAM) as server,
        server.channel() as channel,
    ):
        world = World(channel)
        world.counter = request.getfixturevalue("counter") if is_counted else None
        yield world
        world.close()


@pytest.fixture
def world(lasting_world):
    lasting_world.beat()
    return lasting_world
