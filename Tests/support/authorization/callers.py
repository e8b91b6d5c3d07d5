"""Callers of every kind: one for each role that there is, and those who have none."""

import concurrent.futures
import pathlib
import shutil
import tempfile
import time
import weakref

import grpc

from .. import stubs
from ..board import BOARD
from ..machines import CREDENTIALS, Machine, credentials, make_credential
from ..media import Uploader
from ..notices import await_that
from ..people import PASSWORD, TOKEN_SECONDS, Person, Stranger, outcome, request_id
from ..rides import DEMO_PASSWORD, Driver, Rider, demo_city, staff
from .answers import ask, make_request

STAFF = ("admin", "ops", "support", "moderator")
# Those who see hidden profiles, beside their owners.
SEES_HIDDEN = (*STAFF, "machine")
# Those who read what is reported.
MODERATORS = {"moderator", "social.moderator"}
MACHINE_ROLES = ("rides.ops", "notify.ops")
DOMAIN_ROLES = ("rides.support", "social.moderator", *MACHINE_ROLES)
# On a section of the board.
SECTION_ROLES = ("pinboard.owner", "pinboard.editor")
VERIFIED = "user.verified"
PATIENCE_SECONDS = 300

roles = stubs.module("octet.identity.v1.role_service_pb2")
timestamps = stubs.module("google.protobuf.timestamp_pb2")


class Citizen(Uploader, Rider):
    """A user who uploads and rides."""


class DrivingCitizen(Uploader, Driver):
    """The same, who drives."""


def grant(admin, user, role, **fields):
    request = roles.GrantRoleRequest(request_id=request_id(), user_id=user, role=role, **fields)
    return admin.call("octet.identity.v1.RoleService/GrantRole", request)


class Callers:
    """All of them, by name. `roles` says what each holds on the whole platform, `are_out` whose credentials are worth
    nothing any more. Holders of roles on a section hold them on `section`, but for one who owns another section."""

    def __init__(self, channel):
        self.channel = channel
        self._logged_in_at = time.monotonic()
        self.people = {"nobody": Stranger(channel)}
        self.roles = {}
        self.admin = Citizen(channel, "demo_admin", DEMO_PASSWORD, register=False)
        self.operator = staff(channel)
        # Roles that no user needs for what is tried are machines', which sign in without a password.
        makers = {
            "owner": self._citizen,
            "stranger": self._citizen,
            "blocked": self._citizen,
            "hidden": self._citizen,
            "spare": self._citizen,
            "driver": self._driver,
            "logged out": self._logged_out,
            "suspended": self._suspended,
            "lapsed": self._lapsed,
            "machine": self._machine,
            "revoked machine": self._revoked_machine,
            "pinboard.owner": self._citizen,
            "pinboard.editor": self._citizen,
            "owner elsewhere": self._citizen,
            VERIFIED: self._verified,
        }
        makers |= {role: self._with_role for role in (*STAFF[1:], "social.moderator", "rides.support")}
        makers |= {role: self._machine for role in MACHINE_ROLES}
        # Most of the time goes into their passwords.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            made = {name: pool.submit(make, name) for name, make in makers.items()}
        self.people |= {name: future.result() for name, future in made.items()}
        self.people["admin"] = self.admin
        self.section = self._open_section("pinboard.owner")
        self._open_section("owner elsewhere")
        grant(self["pinboard.owner"], self["pinboard.editor"].user_id, "pinboard.editor", resource_id=self.section)
        self.people["pinboard.editor"] = Citizen(channel, self._handle("pinboard.editor"), register=False)
        self.roles |= {role: {role} for role in (*STAFF, *DOMAIN_ROLES)} | {"machine": {"support"}}
        self.are_out = {"logged out", "suspended", "revoked machine"}
        # Who has closed the account, and cannot log in again.
        self.are_gone = set()
        self.are_machines = {"machine", "revoked machine", *MACHINE_ROLES}

    def __getitem__(self, name):
        return self.people[name]

    def names(self):
        return list(self.people)

    def held(self):
        """Every role that one of them holds."""
        return {role for roles in self.roles.values() for role in roles} | {*SECTION_ROLES, VERIFIED}

    def renew(self):
        """Logs everybody in again whose credentials are worth something, if the last time is a while ago."""
        if time.monotonic() - self._logged_in_at < TOKEN_SECONDS:
            return
        self._logged_in_at = time.monotonic()
        names = [name for name in self.people if name not in self.are_out | self.are_gone and name != "nobody"]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self._renew, names))

    def _renew(self, name):
        person = self.people[name]
        if isinstance(person, Person):
            person.log_in()
        else:
            # It is to sign in with its key alone.
            person.token = None
            person.login(person.credential)

    def holds(self, name, wanted):
        """Whether a caller holds one of the wanted roles on the whole platform. A bare staff role covers that of each
        domain."""
        return any(
            held == role or role.endswith(f".{held}") for held in self.roles.get(name, ()) for role in wanted
        )

    def without_rights(self):
        """Users who are nothing to the owner's things."""
        return [name for name in self.people if name not in self.roles and name not in ("owner", "driver", "hidden")]

    def _handle(self, name):
        return "m_" + name.replace(" ", "_").replace(".", "_")

    def _citizen(self, name):
        return Citizen(self.channel, self._handle(name))

    def _open_section(self, name):
        """The section's maker has its first role, which the token of a later login names."""
        path = f"{BOARD}/OpenSection"
        section = self.people[name].call(path, make_request(path, {"title": "A section"})).id
        self.people[name] = Citizen(self.channel, self._handle(name), register=False)
        return section

    def _verified(self, name):
        person, service = self._citizen(name), "octet.identity.v1.VerificationService"
        page = f"a page of {name}".encode()
        upload = person.create(page)
        person.go_on(upload.id, page)
        document = {"kind": "VERIFICATION_DOCUMENT_KIND_PASSPORT", "upload_id": upload.id}
        path = f"{service}/SubmitVerification"
        verification = person.call(path, make_request(path, {"documents": [document]})).id
        path = f"{service}/ReviewVerification"
        decision = {"verification_id": verification, "decision": "VERIFICATION_STATE_APPROVED"}
        self.operator.call(path, make_request(path, decision))
        return Citizen(self.channel, self._handle(name), register=False)

    def _driver(self, name):
        return DrivingCitizen(self.channel, self._handle(name), self.operator, demo_city(self.operator))

    def _with_role(self, name):
        person = self._registered(name)
        grant(self.admin, person, name)
        return Citizen(self.channel, self._handle(name), register=False)

    def _registered(self, name):
        """An account's id. The token of a later login names the grants that were made meanwhile."""
        path = "octet.identity.v1.AccountService/Register"
        request = make_request(path, {"handle": self._handle(name), "password": PASSWORD})
        return self.people["nobody"].call(path, request).id

    def _logged_out(self, name):
        person = self._citizen(name)
        path = "octet.identity.v1.SessionService/Logout"
        person.call(path, make_request(path, {}))
        return person

    def _suspended(self, name):
        person = self._citizen(name)
        helper = self._machine("helper")
        path = "octet.identity.v1.AccountService/SuspendAccount"
        helper.call(path, make_request(path, {"user_id": person.user_id}))
        return person

    def _lapsed(self, name):
        """Somebody whose role has ended."""
        user = self._registered(name)
        for seconds in (5, 30, 120):
            end = timestamps.Timestamp(seconds=int(time.time()) + seconds)
            code = outcome(lambda end=end: grant(self.admin, user, "support", expire_time=end))[0]
            # On a slow machine it may have ended before it is made.
            if code == grpc.StatusCode.OK:
                break
        assert code == grpc.StatusCode.OK
        person = Citizen(self.channel, self._handle(name), register=False)
        path = "octet.chat.v1.ChatService/TakeRoom"
        request = make_request(path, {"room_id": "room_0000000000000"})
        await_that(lambda: ask(person, path, request).code == grpc.StatusCode.PERMISSION_DENIED,
                   "a grant does not end", PATIENCE_SECONDS)  # fmt: skip
        return person

    def _machine(self, name):
        role = name if name in MACHINE_ROLES else "support"
        # There as long as the machine, which signs in again with it.
        folder = tempfile.mkdtemp(prefix="octet-machine-")
        machine = Machine(self.channel, pathlib.Path(folder))
        weakref.finalize(machine, shutil.rmtree, folder)
        machine.credential = make_credential(self.admin, machine, role, name=name).id
        machine.login(machine.credential)
        return machine

    def _revoked_machine(self, name):
        machine = self._machine(name)
        request = credentials.RevokeCredentialRequest(request_id=request_id(), credential_id=machine.credential)
        assert outcome(lambda: self.admin.call(f"{CREDENTIALS}/RevokeCredential", request))[0] == grpc.StatusCode.OK
        return machine
