"""Where octetd keeps contents: what it says if it cannot, and that it clears up."""

import os
import shutil
import sqlite3
import time

import pytest

from support.notices import await_that
from support.s3 import ACCESS_KEY, S3, SECRET_KEY
from support.server import Server
from test_process import last_event, run


@pytest.fixture(scope="module")
def s3():
    with S3() as server:
        yield server


def s3_flags(endpoint, bucket="blobs", prefix=""):
    return ["--s3-endpoint", endpoint, "--s3-bucket", bucket, "--s3-prefix", prefix, "--s3-access-key", ACCESS_KEY]


def refused(folder, *flags, code=74, secret=SECRET_KEY):
    """The message of an octetd that does not start."""
    has_secret = secret and "--s3-endpoint" in flags
    environment = {**os.environ, "OCTET_S3_SECRET_KEY": secret} if has_secret else None
    result = run("--listen", "127.0.0.1:0", "--data", folder, *flags, env=environment)
    assert result.returncode == code, result.stderr
    return result.stderr if code == 64 else last_event(result.stderr)["message"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--s3-bucket", "b"], "s3-bucket needs s3-endpoint"),
        (["--s3-endpoint", "https://s3.example", "--s3-access-key", "a"], "s3-endpoint needs s3-bucket"),
        (["--s3-endpoint", "https://s3.example", "--s3-bucket", "b"], "s3-endpoint needs s3-access-key"),
        (s3_flags("ftp://s3.example"), "s3-endpoint: ftp://s3.example is not"),
        (s3_flags("https://s3.example/path"), "s3-endpoint: https://s3.example/path is not"),
        ([*s3_flags("https://s3.example"), "--blobs", "folder"], "not in both"),
        (["--s3-secret-key", "hush"], "OCTET_S3_SECRET_KEY"),
    ],
)
def test_refuses_wrong_settings(tmp_path, flags, message):
    errors = refused(tmp_path, *flags, code=64)
    assert message in errors and "hush" not in errors


def test_wants_the_secret_key(tmp_path):
    assert "needs s3-secret-key" in refused(tmp_path, *s3_flags("https://s3.example"), code=64, secret=None)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file/blobs", "/proc/blobs"):
        message = refused(tmp_path / "data", "--blobs", folder)
        assert str(folder) in message and "ioFailure" in message


def test_an_s3_server_that_is_not_there_is_a_clear_error(tmp_path):
    message = refused(tmp_path, *s3_flags("http://127.0.0.1:1"))
    assert "http://127.0.0.1:1" in message and "Couldn't connect" in message


def test_wrong_keys_are_a_clear_error_that_does_not_tell_them(tmp_path, s3):
    message = refused(tmp_path, *s3_flags(s3.endpoint), secret="hush")
    assert "SignatureDoesNotMatch" in message and "hush" not in message


def test_keeps_contents_in_s3_and_knows_them_again(tmp_path, s3, monkeypatch):
    monkeypatch.setenv("OCTET_S3_SECRET_KEY", SECRET_KEY)
    flags = s3_flags(s3.endpoint, prefix="mine")
    for _ in range(2):
        with Server(tmp_path / "data", *flags):
            pass
    assert not (tmp_path / "data/blobs").exists()
    with Server(tmp_path / "data", *s3_flags(s3.endpoint, prefix="empty")):
        pass  # Nothing is lost: there are no contents.


def test_reaches_s3_over_tls(tmp_path, s3, monkeypatch):
    monkeypatch.setenv("OCTET_S3_SECRET_KEY", SECRET_KEY)
    flags = s3_flags(s3.tls_endpoint, prefix="tls")
    with Server(tmp_path / "data", *flags, "--s3-ca", s3.authority):
        pass
    assert "certificate" in refused(tmp_path / "data", *flags)
    assert "CA cert" in refused(tmp_path / "data", *flags, "--s3-ca", tmp_path / "nothing.pem")


def test_the_keys_may_be_in_the_file(tmp_path, s3):
    settings = [("s3-endpoint", s3.endpoint), ("s3-bucket", "blobs"), ("s3-prefix", "file"),
                ("s3-access-key", ACCESS_KEY), ("s3-secret-key", SECRET_KEY)]  # fmt: skip
    config = tmp_path / "octetd.conf"
    config.write_text("".join(f"{name} = {value}\n" for name, value in settings))
    with Server(tmp_path / "data", "--config", config):
        pass


def test_nodes_must_share_the_store(tmp_path, postgres):
    url = postgres.make_database()
    with Server(tmp_path / "a", "--database", url) as first:
        (tmp_path / "b").mkdir(mode=0o700)
        shutil.copy2(first.data / "root.key", tmp_path / "b/root.key")
        message = refused(tmp_path / "b", "--database", url)
        assert str(tmp_path / "b/blobs") in message and "which all nodes share" in message
        with Server(tmp_path / "b", "--database", url, "--blobs", first.data / "blobs"):
            pass


def test_a_lost_folder_is_noticed(tmp_path):
    """Also one that another database has filled."""
    upload, content = bytes(16), bytes(32)
    for name in ("a", "b"):
        with Server(tmp_path / name):
            pass
        with sqlite3.connect(tmp_path / name / "octet.db") as database:
            database.execute("INSERT INTO octet_blobs (id, upload, size, created_at) VALUES (?, ?, 1, 0)", (content, upload))
        database.close()
        shard = tmp_path / name / "blobs/blobs/00"
        (shard / f"{content.hex()}.{upload.hex()}").write_bytes(b"1")
    assert "another database" in refused(tmp_path / "new", "--blobs", tmp_path / "a/blobs")
    assert "not the store" in refused(tmp_path / "a", "--blobs", tmp_path / "b/blobs")
    (tmp_path / "a/blobs").rename(tmp_path / "elsewhere")
    assert "not the store" in refused(tmp_path / "a")
    with Server(tmp_path / "a", "--blobs", tmp_path / "elsewhere"):
        pass


def test_clears_up_by_itself(tmp_path):
    """An upload that has expired, and contents that nobody has referred to for a day: not those of the last hours."""
    with Server(tmp_path):
        pass
    hour = 3_600_000_000_000
    old, new = b"\1" * 32, b"\2" * 32
    upload, expired = bytes(16), b"\3" * 16
    now = time.time_ns()
    with sqlite3.connect(tmp_path / "octet.db") as database:
        insert = "INSERT INTO octet_blobs (id, upload, size, created_at, unreferenced_since) VALUES (?, ?, 1, 0, ?)"
        database.execute(insert, (old, upload, now - 25 * hour))
        database.execute(insert, (new, upload, now - 23 * hour))
        database.execute("INSERT INTO octet_blob_uploads (id, expires_at) VALUES (?, ?)", (expired, now - hour))
    database.close()
    files = {id: tmp_path / "blobs/blobs" / id.hex()[:2] / f"{id.hex()}.{upload.hex()}" for id in (old, new)}
    files[expired] = tmp_path / "blobs/uploads" / expired.hex()
    for file in files.values():
        file.write_bytes(b"1")
    with Server(tmp_path):
        await_that(lambda: not files[old].exists() and not files[expired].exists(), "it is not collected")
    assert files[new].exists()
    with sqlite3.connect(tmp_path / "octet.db") as database:
        assert database.execute("SELECT id FROM octet_blobs").fetchall() == [(new,)]
        assert database.execute("SELECT count(*) FROM octet_blob_trash").fetchone() == (0,)
    database.close()
