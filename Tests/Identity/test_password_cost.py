"""What a password costs is what the operator says; hashes that are there stay good."""

import sqlite3

import pytest
from support.notices import FLAGS
from support.people import Person
from support.server import Server

LOW, DEFAULT = "$argon2id$v=19$m=19456,t=2,p=1$", "$argon2id$v=19$m=65536,t=3,p=1$"


@pytest.fixture
def unset(monkeypatch):
    monkeypatch.delenv("OCTET_PASSWORD_COST")


def cost_of(person, data):
    """The hash up to its salt."""
    database = sqlite3.connect(f"file:{data / 'octet.db'}?mode=ro", uri=True)
    try:
        [[kept]] = database.execute("SELECT password_hash FROM identity_users WHERE handle = ?", [person.handle])
    finally:
        database.close()
    return kept[: kept.rindex("$", 0, kept.rindex("$")) + 1]


def test_a_new_password_costs_what_is_said_and_an_old_one_stays_good(tmp_path, unset):
    with Server(tmp_path, *FLAGS, "--password-cost", "19/2") as server, server.channel() as channel:
        early = Person(channel, "early_p")
        assert cost_of(early, tmp_path) == LOW
    with Server(tmp_path, *FLAGS) as server, server.channel() as channel:
        late = Person(channel, "late_p")
        again = Person(channel, "early_p", register=False)
        assert again.user_id == early.user_id
        assert (cost_of(late, tmp_path), cost_of(early, tmp_path)) == (DEFAULT, LOW)
