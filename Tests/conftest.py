"""Fixtures of the tests that drive the built programs from outside."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.postgres import ENGINES, PostgreSQL, database_flags  # noqa: E402
from support.server import Server, make_certificate  # noqa: E402


# The cheapest passwords that octetd takes: at its default they are half of all that these tests do.
os.environ.setdefault("OCTET_PASSWORD_COST", "7/5")


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures times, so `make client-test` runs no other test beside it")


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def postgres():
    """One PostgreSQL server for all tests of a process that want one; each makes a database of its own."""
    with PostgreSQL() as postgres:
        yield postgres


@pytest.fixture(params=ENGINES)
def engine_flags(request):
    """What tells octetd where to keep its data: a test that takes it runs on both engines."""
    return database_flags(request)


@pytest.fixture(scope="module")
def server(tmp_path_factory, tls):
    """One octetd with demo data for all tests of a module."""
    with Server(tmp_path_factory.mktemp("data"), "--seed-demo", tls=tls) as server:
        yield server
