"""Several octetd on one PostgreSQL."""

import shutil

import pytest

from support.server import Server


def test_a_node_with_another_root_key_does_not_start(tmp_path, postgres):
    url = postgres.make_database()
    with Server(tmp_path / "a", "--database", url):
        with pytest.raises(RuntimeError, match=r"octetd did not start \(74\)(.|\n)*root.key"):
            Server(tmp_path / "b", "--database", url)
        shutil.rmtree(tmp_path / "b")
        (tmp_path / "b").mkdir(mode=0o700)
        shutil.copy2(tmp_path / "a" / "root.key", tmp_path / "b" / "root.key")
        with Server(tmp_path / "b", "--database", url) as second:
            assert second.address


def test_a_database_that_is_not_there_is_said_at_once_and_without_its_password(tmp_path):
    with pytest.raises(RuntimeError) as error:
        Server(tmp_path, "--database", "postgres://octet:hush@127.0.0.1:1/none")
    assert "(74)" in str(error.value) and "hush" not in str(error.value)
