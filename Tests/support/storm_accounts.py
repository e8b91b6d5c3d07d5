"""People of a storm who have accounts, profiles, relations and roles."""

import itertools
import time

import grpc

from . import stubs
from .codes import accounts, code_in
from .machines import CREDENTIALS
from .notices import inbox
from .people import PASSWORD, Stranger, outcome, reason_of, request_id
from .stage import ACCOUNTS, AUDIT, CHAT, PROFILES, REPORTS_A_DAY, ROLES, SEARCH, SESSIONS, SOCIAL, Actor
from .world import BROKEN, CALL_SECONDS, Acknowledged, Refused


class Member(Actor):
    """Has a profile that is found, addresses, relations, links and reports."""

    def __init__(self, stage, person, outsiders):
        super().__init__(stage, person)
        self.outsiders = outsiders
        self.others = []
        self.name, self.old_name = None, None
        self.profile = self.ask(f"{PROFILES}/GetProfile", user_id=person.user_id)
        self.addresses, self.following, self.blocked, self.muted = {}, set(), set(), set()
        self.links, self.uses, self.cases = {}, {}, {}
        self.do_change_name()

    def do_change_name(self):
        self.old_name, self.name = self.name, self.word()
        fields = {"etag": self.profile.etag, "display_name": self.name, "about": self.word()}
        self.profile = self.ask(f"{PROFILES}/UpdateProfile", **fields)

    def do_put_or_delete_address(self):
        if len(self.addresses) > 3 or (self.addresses and self.rng.random() < 0.4):
            address_id = self.rng.choice(sorted(self.addresses))
            del self.addresses[address_id]
            self.ask(f"{PROFILES}/DeleteAddress", address_id=address_id)
        else:
            where = {"recipient": self.person.handle, "lines": [self.word()], "locality": "Turku", "region_code": "FI"}
            address = self.ask(f"{PROFILES}/PutAddress", address=where)
            self.addresses[address.id] = address

    def do_follow(self):
        other = self.rng.choice(self.others).person.user_id
        if other in self.following:
            self.following.remove(other)
            self.ask(f"{SOCIAL}.FollowService/Unfollow", target_id=other)
        else:
            self.following.add(other)
            self.ask(f"{SOCIAL}.FollowService/Follow", target_id=other)

    def do_block_or_mute(self):
        whom = self.rng.choice(self.outsiders).user_id
        kind, those = self.rng.choice([("Block", self.blocked), ("Mute", self.muted)])
        method = f"Un{kind.lower()}" if whom in those else kind
        those.symmetric_difference_update({whom})
        self.ask(f"{SOCIAL}.FollowService/{method}", user_id=whom)

    def do_link(self):
        live = [link for link in self.links.values() if not link.HasField("revoke_time")]
        if len(live) > 3:
            link = self.rng.choice(live)
            self.links[link.id] = self.ask(f"{SOCIAL}.ShareService/RevokeShareLink", link_id=link.id)
        else:
            subject = self.rng.choice(self.others).person.user_id
            link = self.ask(f"{SOCIAL}.ShareService/CreateShareLink", subject_id=subject)
            # One for each thing: asked for again it is the same.
            self.links.setdefault(link.id, link)

    def do_report(self):
        if len(self.cases) == REPORTS_A_DAY:
            return
        target = self.rng.choice(self.outsiders).user_id
        try:
            case = self.ask(f"{SOCIAL}.ModerationService/ReportContent", target_id=target, policy="POLICY_SPAM")
        except Refused as refusal:
            # Whom one has blocked one does not see.
            assert refusal.reason in ("NOT_FOUND", "REPORT_EXISTS"), refusal
            return
        self.cases[case.id] = target

    def do_search(self):
        self.ask(f"{SEARCH}/Search", text=self.name, page_size=5)

    def found(self, text):
        return [hit.subject_id for hit in self.ask(f"{SEARCH}/Search", text=text, kind="user").hits]

    def verify(self):
        profile = self.ask(f"{PROFILES}/GetProfile", user_id=self.person.user_id)
        assert profile == self.profile, f"{profile} is not {self.profile}"
        assert self.found(self.name) == [self.person.user_id], "the new name is not found"
        assert self.old_name is None or self.found(self.old_name) == [], "the old name is found"
        addresses = self.stage.all_of(self.person, f"{PROFILES}/ListAddresses", "addresses")
        assert sorted(address.id for address in addresses) == sorted(self.addresses)
        assert all(address == self.addresses[address.id] for address in addresses)
        follows = self.stage.all_of(self.person, f"{SOCIAL}.FollowService/ListFollowing", "follows")
        assert sorted(follow.target_id for follow in follows) == sorted(self.following)
        for kind, those in (("BLOCKED", self.blocked), ("MUTED", self.muted)):
            path, kind = f"{SOCIAL}.FollowService/ListRelations", f"RELATION_KIND_{kind}"
            rows = self.stage.all_of(self.person, path, "relations", kind=kind)
            assert sorted(row.member.user_id for row in rows) == sorted(those), kind
        links = self.stage.all_of(self.person, f"{SOCIAL}.ShareService/ListShareLinks", "links")
        assert sorted(link.id for link in links) == sorted(self.links)
        for link in links:
            assert link.HasField("revoke_time") == self.links[link.id].HasField("revoke_time")
        cases = self.stage.all_of(self.person, f"{SOCIAL}.ModerationService/ListMyCases", "cases")
        assert sorted(case.id for case in cases) == sorted(self.cases)
        notices = self.stage.insist(self.person, lambda: inbox(self.person))
        assert [notice.number for notice in notices] == list(range(len(notices), 0, -1)), "the inbox has holes"


class Guest(Actor):
    """Signs in again and again, refreshes and ends sessions."""

    def __init__(self, stage, person):
        super().__init__(stage, person)
        self.sessions, self.ended = {}, set()

    def public(self, path, **fields):
        """Without the token that says who calls."""
        request = stubs.message_class(f"octet.identity.v1.{path}Request")(request_id=request_id(), **fields)
        stranger = Stranger(self.stage.channel)
        reply = self.stage.insist(stranger, lambda: stranger.call(f"{SESSIONS}/{path}", request, timeout=CALL_SECONDS))
        self.stage.note(Acknowledged(stranger, f"{SESSIONS}/{path}", request, reply))
        return reply

    def do_log_in_or_out(self):
        if len(self.sessions) > 4:
            session = self.rng.choice(sorted(self.sessions))
            del self.sessions[session]
            self.ended.add(session)
            self.ask(f"{SESSIONS}/EndSession", session_id=session)
        else:
            reply = self.public("Login", login_name=self.person.handle, password=self.person.password)
            self.sessions[reply.session.id] = reply.tokens

    def do_refresh(self):
        if self.sessions:
            session = self.rng.choice(sorted(self.sessions))
            reply = self.public("RefreshSession", refresh_token=self.sessions[session].refresh_token)
            assert reply.session.id == session
            self.sessions[session] = reply.tokens

    def verify(self):
        rows = self.stage.all_of(self.person, f"{SESSIONS}/ListSessions", "sessions")
        ids = [row.id for row in rows]
        assert set(self.sessions) <= set(ids) and not self.ended & set(ids)
        assert len(ids) == len(set(ids)) == len(self.sessions) + getattr(self.person, "logins", 1)


class Prover(Actor):
    """Makes accounts, proves an address, and another in its place. The old one, nobody's by then, is told."""

    def __init__(self, stage, person, spool):
        super().__init__(stage, person)
        self.spool, self.numbers, self.unseen = spool, itertools.count(), []

    def do_prove_and_replace(self):
        prover = Stranger(self.stage.channel)
        prover.handle, prover.password = f"prover_{self.person.user_id[-6:].lower()}{next(self.numbers)}", PASSWORD
        user = self.stage.ask(prover, f"{ACCOUNTS}/Register", handle=prover.handle, password=PASSWORD)
        prover.user_id = user.id
        self.stage.log_in(prover)
        addresses = [f"{word}.{prover.handle}@example.org" for word in ("old", "new")]
        for address in addresses:
            self.stage.ask(prover, f"{ACCOUNTS}/SendCode", email=address)
            code = code_in(self.spool, address)
            self.refuse(prover, address, str((int(code) + 1) % 1_000_000).zfill(6))
            user = self.stage.ask(prover, f"{ACCOUNTS}/ConfirmContact", email=address, code=code)
            assert (user.id, user.level) == (prover.user_id, accounts.USER_LEVEL_CONTACT), user
        self.unseen.append((prover, addresses))

    def refuse(self, prover, address, code):
        """A code is wrong, whenever it comes."""
        try:
            self.stage.ask(prover, f"{ACCOUNTS}/ConfirmContact", email=address, code=code)
        except Refused as refusal:
            assert refusal.reason == "WRONG_CODE", refusal
        else:
            raise AssertionError("a wrong code was taken")

    def verify(self):
        """The new address is the account's name, the old one nobody's."""
        for prover, (old, new) in self.unseen:
            assert (self.owner_of(new), self.owner_of(old)) == (prover.user_id, "WRONG_CREDENTIALS")
        self.unseen = []

    def owner_of(self, name):
        """Who logs in by it, or why nobody does."""
        request = stubs.message_class("octet.identity.v1.LoginRequest")(
            request_id=request_id(), login_name=name, password=PASSWORD)  # fmt: skip
        while True:
            stranger = Stranger(self.stage.channel)
            code, reason, reply = outcome(lambda: stranger.call(f"{SESSIONS}/Login", request, timeout=CALL_SECONDS))
            if code not in BROKEN:
                return reason or reply.user.id
            time.sleep(0.02)


class Grantor(Actor):
    """Gives roles to people and machines, and takes them away."""

    def __init__(self, stage, person, outsiders):
        super().__init__(stage, person)
        self.outsiders, self.grants, self.records, self.machines = outsiders, {}, [], {}

    def do_grant(self):
        if len(self.grants) > 2:
            grant = self.grants.pop(self.rng.choice(sorted(self.grants)))
            self.ask(f"{ROLES}/RevokeRole", grant_id=grant.id)
            self.records.append(("role.revoked", grant.user_id))
        else:
            user, role = self.rng.choice(self.outsiders).user_id, self.rng.choice(["moderator", "support"])
            if any((grant.user_id, grant.role) == (user, role) for grant in self.grants.values()):
                return
            grant = self.ask(f"{ROLES}/GrantRole", user_id=user, role=role)
            self.grants[grant.id] = grant
            self.records.append(("role.granted", user))

    def do_install(self):
        live = [machine for machine in self.machines.values() if not machine.HasField("revoke_time")]
        if len(live) > 2:
            machine = self.rng.choice(live)
            revoked = self.ask(f"{CREDENTIALS}/RevokeCredential", credential_id=machine.id)
            self.machines[machine.id] = revoked
        else:
            machine = self.ask(
                f"{CREDENTIALS}/CreateCredential", name=self.word(), kind="CREDENTIAL_KIND_WORKER",
                public_key=self.rng.randbytes(32), roles=[{"role": "support"}])  # fmt: skip
            self.machines[machine.id] = machine

    def verify(self):
        for outsider in self.outsiders:
            rows = self.stage.all_of(self.person, f"{ROLES}/ListRoles", "grants", user_id=outsider.user_id)
            live = [row.id for row in rows if not row.HasField("revoke_time")]
            mine = [grant.id for grant in self.grants.values() if grant.user_id == outsider.user_id]
            assert sorted(live) == sorted(mine)
            for action in ("role.granted", "role.revoked"):
                of_user = {"object_id": outsider.user_id, "action": action}
                records = self.stage.all_of(self.stage.ops, f"{AUDIT}/ListRecords", "records", filter=of_user)
                assert len(records) == self.records.count((action, outsider.user_id)), f"{action} is recorded once"
        machines = self.stage.all_of(self.person, f"{CREDENTIALS}/ListCredentials", "credentials")
        there = {machine.id for machine in machines if not machine.HasField("revoke_time")}
        mine = {machine.id for machine in self.machines.values() if not machine.HasField("revoke_time")}
        assert there == mine


class Leaver(Actor):
    """Makes accounts, lives a little with them, and closes them."""

    def __init__(self, stage, person, star):
        super().__init__(stage, person)
        self.star, self.closed, self.numbers = star, [], itertools.count()
        # Their topics: what was said there and what they were told is erased, and leaves holes.
        self.topics = set()

    def do_come_and_go(self):
        stage = self.stage
        leaver = Stranger(stage.channel)
        leaver.handle, leaver.password = f"leaver_{self.person.user_id[-6:].lower()}{next(self.numbers)}", PASSWORD
        user = stage.ask(leaver, f"{ACCOUNTS}/Register", handle=leaver.handle, password=PASSWORD, display_name=self.word())
        leaver.user_id = user.id
        stage.log_in(leaver)
        where = {"recipient": "me", "lines": [self.word()], "locality": "Espoo", "region_code": "FI"}
        stage.ask(leaver, f"{PROFILES}/PutAddress", address=where)
        stage.ask(leaver, f"{SOCIAL}.FollowService/Follow", target_id=self.star.user_id)
        room = stage.ask(leaver, f"{CHAT}/OpenRoom", kind="ROOM_KIND_SUPPORT")
        stage.post(leaver, f"{CHAT}/Chat", self.word(), room_id=room.id)
        self.close(leaver)
        self.closed.append(leaver)
        self.topics |= {f"room/{room.id}", f"inbox/{user.id}"}

    def close(self, leaver):
        """The first answer may be lost, and with the account its sessions are over."""
        close = stubs.message_class("octet.identity.v1.CloseAccountRequest")(request_id=request_id())
        while True:
            leaver.channel = self.stage.channel
            try:
                return leaver.call(f"{ACCOUNTS}/CloseAccount", close, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                if reason_of(error) == "SESSION_ENDED":
                    return None
                if error.code() not in BROKEN:
                    raise
            except ValueError:
                pass  # The channel was closed meanwhile; there is another.
            time.sleep(0.02)

    def is_erased(self, leaver):
        try:
            self.ask(f"{PROFILES}/GetProfile", user_id=leaver.user_id)
        except Refused as refusal:
            return refusal.reason == "NOT_FOUND"
        return False
