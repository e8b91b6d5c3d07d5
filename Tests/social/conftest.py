"""The tests of the social domain run on both engines."""

import pytest

ENGINES = ("SQLite", "PostgreSQL")


@pytest.fixture(params=ENGINES)
def engine_flags(request):
    """What tells octetd where to keep its data. The flags mean the same data as long as --data does."""
    if request.param == "SQLite":
        return []
    return ["--database", request.getfixturevalue("postgres").make_database()]
