"""What the client shows as it comes: the inbox, support rooms, jobs, flags; and what it does by itself for a call."""

import re
import unicodedata

import pytest
from client import Octet, Watching
from support.notices import DEMO_PASSWORD, await_that
from support.people import PASSWORD

MINUTE = r"\d{4}-\d\d-\d\d \d\d:\d\d"


@pytest.fixture(scope="module")
def staff(server, tmp_path_factory):
    """The demo administrator, with the roles that the tests want."""
    octet = Octet(tmp_path_factory.mktemp("staff"), server.address, "--plaintext")
    assert octet("login", "demo_admin", stdin=DEMO_PASSWORD + "\n").code == 0
    me = octet("identity", "get-profile").json()["userId"]
    for role in ("notify.ops", "ops", "support"):
        granted = octet("identity", "grant-role", me, "--role", role)
        assert granted.code == 0, granted.error
    return octet


def person(server, folder, handle):
    octet = Octet(folder, server.address, "--plaintext")
    registered = octet("identity", "register", "--handle", handle, "--password", "-", "--json", stdin=PASSWORD + "\n")
    assert registered.code == 0, registered.error
    assert octet("login", handle, stdin=PASSWORD + "\n").code == 0
    return octet, registered.json()["id"]


def announce(staff, user, title, text=""):
    texts = f"language=en,title={title}" + (f",text={text}" if text else "")
    result = staff("notify", "announce", "--segment.users.user-ids", user, "--texts", texts)
    assert result.code == 0, result.error


def test_the_inbox_prints_lines_where_nobody_looks(server, staff, tmp_path):
    octet, user = person(server, tmp_path, "inbox_lines")
    announce(staff, user, "First", "of two, with a comma")
    with Watching(octet, "notify", "inbox") as inbox:
        inbox.until(rf"(?m)^\* {MINUTE}  1  First: of two, with a comma  \[.+\]\n")
        announce(staff, user, "Second")
        inbox.until(rf"(?m)^\* {MINUTE}  2  Second  \[.+\]\n")
        assert octet("notify", "mark-read", "--number", "2").code == 0
        inbox.until(r"(?m)^- read up to 2\n")
        assert "\x1b" not in inbox.text
    with Watching(octet, "notify", "watch-inbox", "--json") as inbox:
        inbox.until(r'"title":"Second"')


def test_the_inbox_is_redrawn_on_a_terminal_and_read_by_a_key(server, staff, tmp_path):
    octet, user = person(server, tmp_path, "inbox_screen")
    with Watching(octet, "notify", "inbox", terminal=True) as inbox:
        inbox.until(r"nothing unread   r: mark all as read(.|\n)*nobody has told you anything\n")
        announce(staff, user, "Hello\x1b[2J there")
        inbox.until(rf"\x1b\[2A\r\x1b\[J\x1b\[1mInbox\x1b\[0m  1 unread.*\n● {MINUTE}  1  Hello\ufffd\[2J there")
        inbox.press("r")
        inbox.until(rf"Inbox\x1b\[0m  nothing unread.*\n  {MINUTE}  1  Hello")
    assert octet("notify", "list-inbox").json().get("unreadCount", "0") == "0"


def width(line):
    """How many columns a line takes on a terminal."""
    wide = {"W", "F"}
    return sum(1 + (unicodedata.east_asian_width(char) in wide) for char in re.sub(r"\x1b\[[0-9]*m", "", line))


def test_lines_that_a_terminal_would_break_are_cut(server, staff, tmp_path):
    octet, user = person(server, tmp_path, "inbox_wide")
    with Watching(octet, "notify", "inbox", terminal=True, columns=40) as inbox:
        inbox.until("nobody has told you anything\n")
        announce(staff, user, "新しいお知らせがあります🎉" * 5)
        inbox.until(rf"● {MINUTE}  1  新.*\n")
        lines = inbox.text.split("\x1b[J")[-1].splitlines()
        assert all(38 <= width(line) <= 39 for line in lines)
        assert lines[0].startswith("\x1b[1mInbox\x1b[0m  1 unread")


def test_people_and_support_talk_in_a_room(server, staff, tmp_path):
    octet, _ = person(server, tmp_path, "asks_support")
    room = octet("chat", "open-room", "--kind", "support").json()["id"]
    with Watching(octet, "chat", "talk", room) as asking:
        asking.press("my bag is gone\n")
        asking.until(r"asks_support: my bag is gone\n")
        waiting = staff("chat", "list-rooms", "--waiting").json()["rooms"]
        assert room in [item["id"] for item in waiting]
        assert staff("chat", "take-room", room).json()["state"] == "ROOM_STATE_TAKEN"
        asking.until(r"- somebody of the staff is there\n")
        with Watching(staff, "chat", "talk", room) as answering:
            answering.until("my bag is gone\n")
            answering.press("it is here\n")
            asking.until("it is here\n")
        assert octet("chat", "close-room", room).json()["state"] == "ROOM_STATE_CLOSED"
        asking.until(r"- the room is closed\n")


def test_flags_and_jobs_are_tables_that_live(staff):
    method = "octet.search.v1.SearchService/Suggest"
    with Watching(staff, "admin", "watch-flags") as lines, Watching(
        staff, "admin", "watch-flags", terminal=True
    ) as table:
        table.until("Flags")
        put = staff("admin", "put-flag", "--name", method, "--value", "boolean=true")
        assert put.code == 0, put.error
        lines.until(rf"(?m)^\+  {method}  true  0  {MINUTE}\n")
        table.until(rf"FLAG +VALUE  EXCEPTIONS  PUT\n(.|\n)*{method}  true ")
    with Watching(staff, "jobs", "watch", "--kind", "identity.erase", terminal=True) as jobs:
        jobs.until(r"Jobs\x1b\[0m  0\nKEY  STATE  DUE  TRIES  ERROR\n")


def test_the_trail_is_exported_and_verified(staff):
    # The sealer comes after the grants of the fixture.
    await_that(lambda: int(staff("audit", "verify").json().get("recordsVerified", "0")) > 0, "nothing was sealed")
    exported = staff("audit", "export")
    assert exported.code == 0 and any(page.get("records") for page in exported.lines()), exported.error
