"""The list of the schema's steps that is checked in is that of a real octetd's database."""

import contextlib
import sqlite3

from support.paths import ROOT
from support.server import Server


def test_all_steps_of_a_database_are_in_the_list(tmp_path):
    with Server(tmp_path):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "octet.db")) as database:
        found = set(database.execute("SELECT component, number, checksum FROM octet_migrations"))
    assert len(found) > 20
    lines = (ROOT / "Tests/Golden/steps.txt").read_text().splitlines()
    assert {(component, int(number), int(checksum)) for component, number, checksum in map(str.split, lines)} == found
