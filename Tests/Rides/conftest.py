"""The tests of rides run on both engines."""

import pytest
from support.server import Server

ENGINES = ("SQLite", "PostgreSQL")


@pytest.fixture(scope="module", params=ENGINES)
def engine_flags(request):
    """What tells octetd where to keep its data. The flags mean the same data as long as --data does."""
    if request.param == "SQLite":
        return []
    return ["--database", request.getfixturevalue("postgres").make_database()]


@pytest.fixture(scope="module")
def server(tmp_path_factory, tls, engine_flags):
    """One octetd with demo data for all tests of a module."""
    with Server(tmp_path_factory.mktemp("data"), "--seed-demo", *engine_flags, tls=tls) as server:
        yield server
