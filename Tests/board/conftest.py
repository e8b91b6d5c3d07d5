"""One octetd-board on each engine, which all tests of a module share."""

import pytest
from support.board import PROGRAM
from support.notices import FLAGS
from support.server import Server

ENGINES = ("SQLite", "PostgreSQL")


def database_flags(request):
    return [] if request.param == "SQLite" else ["--database", request.getfixturevalue("postgres").make_database()]


@pytest.fixture(scope="module", params=ENGINES)
def board(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with Server(folder, *FLAGS, *database_flags(request), program=PROGRAM) as server:
        yield server


@pytest.fixture(params=ENGINES)
def engine_flags(request):
    """What tells a server where to keep its data. The flags mean the same data as long as --data does."""
    return database_flags(request)
