"""People who use a server at once, whatever dies under them, and pause together, to look whether all is there."""

import random
import threading
import uuid

from .media import Uploader
from .notices import DEMO_PASSWORD, await_that
from .people import Person
from .storm import RideWorld
from .world import PATIENCE_SECONDS, Refused

ACCOUNTS = "octet.identity.v1.AccountService"
SESSIONS = "octet.identity.v1.SessionService"
PROFILES = "octet.identity.v1.ProfileService"
ROLES = "octet.identity.v1.RoleService"
VERIFICATION = "octet.identity.v1.VerificationService"
SOCIAL = "octet.social.v1"
MEDIA = "octet.media.v1.MediaService"
NOTIFY = "octet.notify.v1.NotificationService"
CHAT = "octet.chat.v1.ChatService"
SEARCH = "octet.search.v1.SearchService"
ADMIN = "octet.admin.v1.AdminService"
AUDIT = "octet.audit.v1.AuditService"
JOBS = "octet.jobs.v1.JobService"
# Fewer than the server takes of one user.
REPORTS_A_DAY = 40


class Stage(RideWorld):
    """A world whose people pause together."""

    def __init__(self, channel, seed):
        super().__init__(channel, seed)
        self.may_act = threading.Event()
        self.may_act.set()
        self.actors = []
        self.admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        self.ops = Uploader(channel, "demo_ops", DEMO_PASSWORD, register=False)
        granted = (
            (self.admin, "notify.ops"), (self.admin, "social.moderator"), (self.ops, "social.moderator"), (self.ops, "support"),
        )  # fmt: skip
        for person, role in granted:
            self.ask(self.admin, f"{ROLES}/GrantRole", user_id=person.user_id, role=role)
            # The token names the grants of when it was made.
            self.log_in(person)

    def begin(self, actors):
        self.actors = actors
        for actor in actors:
            actor.thread = threading.Thread(target=self._run, args=(actor,), daemon=True)
            actor.thread.start()

    def _run(self, actor):
        try:
            while not self.is_over.is_set():
                if self.may_act.is_set():
                    actor.step()
                else:
                    actor.is_idle.set()
                    self.may_act.wait()
                    actor.is_idle.clear()
        except Exception as failure:
            self.fail(f"{type(actor).__name__} {actor.person.handle}: {failure!r}")
        finally:
            actor.is_idle.set()

    def pause(self):
        """Returns when everybody has ended what they were at."""
        self.may_act.clear()
        for actor in self.actors:
            assert actor.is_idle.wait(PATIENCE_SECONDS), f"{type(actor).__name__} waits for ever"
        assert not self.failures, self.failures

    def finish(self):
        self.is_over.set()
        self.may_act.set()
        for actor in self.actors:
            actor.thread.join(PATIENCE_SECONDS)
        assert not self.failures, self.failures

    def all_of(self, person, path, field, **filters):
        """All rows of a list, over all pages."""
        rows, token = [], ""
        while True:
            page = self.ask(person, path, page_size=100, page_token=token, **filters)
            rows += getattr(page, field)
            token = page.next_page_token
            if not token:
                return rows

    def decide(self, report_id, **ruling):
        """A moderator's decision; returns whether it was the first: others look at the same queue."""
        try:
            self.ask(self.admin, f"{SOCIAL}.ModerationService/Decide", report_id=report_id, **ruling)
            return True
        except Refused as refusal:
            assert refusal.reason == "WRONG_STATE", refusal
            return False

    def await_that(self, condition, otherwise):
        await_that(condition, otherwise, PATIENCE_SECONDS)


class Actor:
    """Somebody who does one thing after the other. The methods whose names begin with `do_` are those things."""

    def __init__(self, stage, person):
        self.stage, self.person = stage, person
        self.rng = random.Random(stage.rng.random())
        self.is_idle = threading.Event()
        self.deeds = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")]

    def step(self):
        self.rng.choice(self.deeds)()

    def ask(self, path, **fields):
        return self.stage.ask(self.person, path, **fields)

    def verify(self):
        """While all pause: what is there is what was acknowledged."""

    def word(self):
        return "w" + uuid.UUID(int=self.rng.getrandbits(128)).hex
