"""Calls that are shown to people: the ride that is tracked, the chat."""

import fcntl
import os
import pty
import struct
import subprocess
import termios

import pytest
from client import PATIENCE_SECONDS, Octet
from support.server import BUILD
from zoo import Zoo

RIDE = "ride_0000000000001"


@pytest.fixture(scope="module")
def zoo():
    with Zoo() as zoo:
        yield zoo


@pytest.fixture
def octet(zoo, tmp_path):
    return Octet(tmp_path, zoo.address, "--plaintext")


def on_a_terminal(octet, *arguments, columns=80, rows=24, term="xterm"):
    """Everything that the program writes to a terminal of that size."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [BUILD.resolve() / "octet", *arguments, *octet.flags],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=octet.environment | {"TERM": term},
        cwd=octet.folder,
    )
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not piece:
            break
        text += piece
    os.close(ours)
    return process.wait(PATIENCE_SECONDS), text.decode().replace("\r\n", "\n")


def test_tracking_prints_lines_where_nobody_looks(octet):
    result = octet("rides", "track", RIDE)
    assert result.code == 0, result.error
    assert result.out.splitlines() == [
        "--:--:--  OFFERING",
        "00:00:00  ASSIGNED  48.20000, 16.37000  eta 1 min 30 s  1500 m left  36 km/h",
        "00:00:01  ASSIGNED  48.20100, 16.37000  eta 1 min 0 s  1000 m left  36 km/h",
        "00:00:02  ASSIGNED  48.20200, 16.37000  eta 30 s  500 m left  36 km/h",
        "00:00:03  ARRIVED  48.20300, 16.37000  eta 0 s  0 m left  36 km/h",
        "the ride has ended",
    ]


def test_tracking_prints_json_when_asked(octet):
    lines = octet("rides", "track", RIDE, "--compact").lines()
    assert lines[0] == {"state": "RIDE_STATE_OFFERING"} and len(lines) == 5


def test_tracking_redraws_in_place_on_a_terminal(octet):
    code, text = on_a_terminal(octet, "rides", "track", RIDE)
    assert code == 0
    pictures = text.split("\x1b[J")
    assert len(pictures) == 5
    assert "waiting for the driver's position" in pictures[0]
    assert "1.5 km to the pickup" in pictures[1] and "arrives in 1 min 30 s" in pictures[1]
    assert "●" in pictures[1] and "◎" in pictures[1]
    assert "█" * 10 + "░" * 20 in pictures[2]
    # Each picture is left by going up as many lines as it has.
    for picture in pictures[:-1]:
        drawn, up = picture.rsplit("\x1b[", 1)
        assert up == f"{drawn.count(chr(10))}A\r"


def test_tracking_never_draws_more_than_fits(octet):
    _, text = on_a_terminal(octet, "rides", "track", RIDE, columns=20, rows=6)
    for picture in text.split("\x1b[J")[1:-1]:
        lines = picture.split("\x1b[")[0].split("\n")
        assert len(lines) <= 6 and all(len(line) < 20 for line in lines)


def test_a_dumb_terminal_gets_lines(octet):
    _, text = on_a_terminal(octet, "rides", "track", RIDE, term="dumb")
    assert "\x1b" not in text and "ASSIGNED" in text


def test_chat_says_what_is_typed(octet):
    result = octet("rides", "chat", RIDE, stdin="hello\n\nrude\n  bye {}\n")
    assert result.code == 0, result.error
    assert result.out.splitlines() == [
        "Bob: I wait\ufffd[2J outside",
        "Ada: hello",
        "! TEXT_REFUSED: no",
        "Ada:   bye {}",
        "- the room has closed",
    ]


def test_help_is_as_wide_as_the_terminal(octet):
    for arguments in (["--help"], ["call", "--help"], ["rides", "--help"], ["rides", "track", "--help"]):
        for columns in (80, 72):
            _, text = on_a_terminal(octet, *arguments, columns=columns)
            assert text and max(map(len, text.splitlines())) <= columns, arguments
