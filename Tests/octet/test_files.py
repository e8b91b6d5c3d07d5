"""Uploads, downloads and exports of the client, against octetd itself, which is killed meanwhile."""

import hashlib
import os
import re
import signal
import subprocess

import pytest
from client import PATIENCE_SECONDS, Octet, Watching
from gate import Gate
from support.people import PASSWORD
from support.server import Server

CHUNK = 1 << 20
CONTENT = b"".join(hashlib.sha512(number.to_bytes(4, "big")).digest() for number in range(5 * CHUNK // 64)) + b"end"


@pytest.fixture
def octet(server, tmp_path):
    octet = Octet(tmp_path, server.address, "--plaintext")
    handle = "files_" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]
    log_in(octet, handle)
    (tmp_path / "film.bin").write_bytes(CONTENT)
    return octet


def log_in(octet, handle):
    registered = octet("identity", "register", "--handle", handle, "--password", "-", stdin=PASSWORD + "\n")
    assert registered.code == 0, registered.error
    assert octet("login", handle, stdin=PASSWORD + "\n").code == 0


def upload(octet, *arguments):
    result = octet("media", "upload", *arguments)
    assert result.code == 0, result.error
    return [line.split("  ")[0] for line in result.out.splitlines()]


class OnATerminal(Watching):
    """The client with standard error on a terminal, so that it shows progress."""

    def __init__(self, octet, *arguments, columns=80):
        ends = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        super().__init__(octet, *arguments, terminal=True, columns=columns, **ends)

    def end(self):
        code = super().end()
        out = self.process.stdout.read().decode()
        self.watchdog.cancel()
        os.close(self.output)
        return code, out


def test_what_is_uploaded_comes_back(octet, tmp_path):
    (tmp_path / "small.txt").write_text("small")
    large, small = upload(octet, "film.bin", "small.txt")
    result = octet("media", "download", large, "-o", "copy.bin")
    assert result.code == 0 and hashlib.sha256(CONTENT).hexdigest() in result.out, result.error
    assert (tmp_path / "copy.bin").read_bytes() == CONTENT
    assert octet("media", "download", small, "-o", "-").out == "small"
    assert octet("media", "download", small).code == 0 and (tmp_path / small).read_text() == "small"
    # Nothing is left of what was on its way.
    assert {path.name for path in tmp_path.iterdir()} == {"config", "film.bin", "copy.bin", "small.txt", small}
    assert list((tmp_path / "config" / "uploads").iterdir()) == []
    taken = octet("media", "download", small, "-o", "copy.bin")
    assert taken.code == 64 and "--force replaces it" in taken.error
    assert octet("media", "download", small, "-o", "copy.bin", "--force").code == 0
    assert (tmp_path / "copy.bin").read_text() == "small"


def test_links_are_followed_to_wherever_the_server_is(octet, server, tls, tmp_path):
    (blob,) = upload(octet, "film.bin")
    profile = tmp_path / "config" / "default.profile"
    text = profile.read_text().replace("plaintext: true\n", "")
    for address, flags in [
        (server.tls_address, ["--cacert", str(tls / "ca.pem")]),
        (server.tls_address, ["--insecure", "--authority", "octet.example"]),
        ("ipv4:" + server.address, ["--plaintext"]),
    ]:
        # The same session at another address of the same server.
        profile.write_text(text.replace(f"address: {server.address}", f"address: {address}"))
        other = Octet(tmp_path, address, *flags)
        result = other("media", "download", blob, "-o", "copy.bin", "--force")
        assert result.code == 0, result.error
        assert (tmp_path / "copy.bin").read_bytes() == CONTENT
    profile.write_text(text.replace(f"address: {server.address}", f"address: {server.tls_address}"))
    distrusting = Octet(tmp_path, server.tls_address, "--authority", "octet.example", "--cacert", str(tls / "ca.pem"))
    assert distrusting("media", "download", blob, "-o", "copy.bin", "--force").code == 14


def test_wrong_files_are_told(octet, tmp_path):
    (tmp_path / "empty").touch()
    for arguments, code, message in [
        (["missing"], 74, "missing: open: No such file"),
        (["empty"], 74, "empty: there is nothing in it"),
        (["film.bin", "--kind", "song"], 64, "song is none of file, image, video, audio"),
        ([], 64, "FILE is missing"),
    ]:
        result = octet("media", "upload", *arguments)
        assert result.code == code and message in result.error, result.error
    (tmp_path / "fake.png").write_text("no picture")
    result = octet("media", "upload", "--wait", "fake.png")
    assert result.code == 9 and "fake.png: " in result.error
    assert octet("media", "download", "blob_0000000000001").code == 5


def test_a_download_goes_on_where_it_was_and_is_checked(octet, tmp_path):
    (blob,) = upload(octet, "film.bin")
    part = tmp_path / f"copy.bin.{blob}.part"
    part.write_bytes(CONTENT[:CHUNK])
    result = octet("media", "download", blob, "-o", "copy.bin")
    assert result.code == 0 and "going on at 1.0 MB" in result.error
    assert (tmp_path / "copy.bin").read_bytes() == CONTENT
    # Whole already, but for the name.
    part.write_bytes(CONTENT)
    assert octet("media", "download", blob, "-o", "copy.bin", "--force", "--quiet").error == ""
    # Not what the blob has: the hash tells, and the next run begins anew.
    part.write_bytes(b"x" * CHUNK)
    damaged = octet("media", "download", blob, "-o", "other.bin", "--force")
    assert damaged.code == 0
    part.write_bytes(b"x" * CHUNK)
    damaged = octet("media", "download", blob, "-o", "copy.bin", "--force")
    assert damaged.code == 15 and "does not have the hash" in damaged.error
    assert not part.exists() and (tmp_path / "copy.bin").read_bytes() == CONTENT


def test_progress_is_drawn_on_a_terminal_only(octet):
    running = OnATerminal(octet, "media", "upload", "film.bin")
    code, out = running.end()
    assert code == 0 and out.endswith("  film.bin\n")
    assert re.search(r"film.bin  █{24}  100 %  5.2 MB of 5.2 MB  [\d.]+ .?B/s\n", running.text), running.text
    blob = out.split("  ")[0]
    running = OnATerminal(octet, "media", "download", blob, "-o", "copy.bin")
    code, _ = running.end()
    assert code == 0 and "100 %" in running.text
    # What has no room is left out, rather than cut.
    running = OnATerminal(octet, "media", "download", blob, "-o", "narrow.bin", columns=50)
    assert running.end()[0] == 0 and re.search(r"\x1b\[Knarrow.bin  █{24}  100 %\n", running.text), running.text
    running = OnATerminal(octet, "media", "download", blob, "-o", "again.bin", "--quiet")
    assert running.end()[0] == 0 and running.text == ""
    silent = octet("media", "download", blob, "-o", "third.bin")
    assert silent.code == 0 and silent.error == ""


def test_an_export_is_put_together_and_fetched(octet, tmp_path):
    result = octet("identity", "export")
    assert result.code == 0, result.error
    name = result.out.split("  ")[0]
    listing = subprocess.run(["tar", "tf", tmp_path / name], capture_output=True, text=True, check=True).stdout
    assert "identity.jsonl" in listing.splitlines()
    export = name.removesuffix(".tar")
    again = octet("identity", "export", export, "-o", "again.tar")
    assert again.code == 0 and (tmp_path / "again.tar").read_bytes() == (tmp_path / name).read_bytes()
    refused = octet("identity", "export")
    assert refused.code == 8 and "retry after: " in refused.error


def test_transfers_outlive_the_client_and_the_server(tmp_path):
    content = CONTENT * 2
    (tmp_path / "film.bin").write_bytes(content)
    data = tmp_path / "data"
    server = Server(data)
    with Gate(server.address) as gate:
        octet = Octet(tmp_path, gate.address, "--plaintext")
        log_in(octet, "patient")
        # Ctrl-C: the record of the upload stays, and the next run goes on with it.
        gate.close_after(4 * CHUNK)
        running = OnATerminal(octet, "media", "upload", "film.bin")
        running.until(r"film.bin  \S+  [1-9]\d* %")
        running.process.send_signal(signal.SIGINT)
        code, out = running.end()
        assert (code, out) == (130, "") and "the same command goes on where it was" in running.text
        assert len(list((tmp_path / "config" / "uploads").iterdir())) == 1
        # A killed server: the same run goes on.
        gate.open()
        gate.close_after(3 * CHUNK)
        running = OnATerminal(octet, "media", "upload", "film.bin")
        gate.wait_until_closed(PATIENCE_SECONDS)
        running.until(r"(?s)going on at \d.*film.bin  \S+  [1-9]\d* %")
        server.kill()
        server = Server(data)
        gate.target = server.address
        gate.cut()
        code, out = running.end()
        assert code == 0, running.text
        blob = out.split("  ")[0]
        # The same for a download.
        gate.close_after(2 * CHUNK, downwards=True)
        running = OnATerminal(octet, "media", "download", blob, "-o", "copy.bin")
        running.until(r"copy.bin  \S+  \d+ %")
        gate.wait_until_closed(PATIENCE_SECONDS)
        server.kill()
        server = Server(data)
        gate.target = server.address
        gate.cut()
        code, _ = running.end()
        assert code == 0 and "the connection was lost" in running.text
        assert (tmp_path / "copy.bin").read_bytes() == content
        assert server.stop() == 0
