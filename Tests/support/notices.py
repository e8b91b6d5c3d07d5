"""Notices of a real octetd: who is told, and what becomes of it."""

import json
import time

from . import stubs
from .people import DEMO_PASSWORD, Person, request_id

SERVICE = "octet.notify.v1.NotificationService"
FLAGS = ("--seed-demo", "--rate-limits", "standard=100000/100000,expensive=100000/100000,telemetry=100000/100000")
# A job that a killed server held is free again when its lease of a minute has ended; and a machine may stand still.
PATIENCE_SECONDS = 300

notify = stubs.module("octet.notify.v1.notification_service_pb2")
notice = stubs.module("octet.notify.v1.notice_pb2")
roles = stubs.module("octet.identity.v1.role_service_pb2")


def call(person, method, request, **options):
    return person.call(f"{SERVICE}/{method}", request, **options)


def staff(channel):
    """The demo administrator, with the role that announces."""
    admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
    grant = roles.GrantRoleRequest(request_id=request_id(), user_id=admin.user_id, role="notify.ops")
    admin.call("octet.identity.v1.RoleService/GrantRole", grant)
    return admin


def register_push(person, address):
    return call(person, "RegisterPush", notify.RegisterPushRequest(request_id=request_id(), address=address))


def announce(person, users, title, **texts):
    return announce_to(person, notice.Segment(users=notice.UserList(user_ids=users)), title, **texts)


def announce_to(person, segment, title, text=""):
    request = notify.AnnounceRequest(request_id=request_id(), segment=segment)
    request.texts.add(language="en", title=title, text=text)
    return call(person, "Announce", request)


def inbox(person):
    """All notices, newest first."""
    notices, token = [], ""
    while True:
        page = call(person, "ListInbox", notify.ListInboxRequest(page_size=500, page_token=token))
        notices += page.notices
        token = page.next_page_token
        if not token:
            return notices


def await_that(condition, otherwise, seconds=PATIENCE_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def letters(spool):
    """The letters in the spool by the names of their files; files that are no letters yet count as None."""
    found = {path.name: path for path in spool.iterdir()}
    return {name: None if name.startswith(".") else json.loads(path.read_text()) for name, path in found.items()}
