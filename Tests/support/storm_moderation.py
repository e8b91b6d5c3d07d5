"""Somebody of a storm whom moderators forbid to post, and let post again."""

import time

from .board import BOARD
from .stage import SOCIAL, Actor
from .world import Refused

COMMENTS, MODERATION = f"{SOCIAL}.CommentService", f"{SOCIAL}.ModerationService"
HOUR_SECONDS = 3600
MOST_RESTRICTIONS = 3


class Offender(Actor):
    """May post as long as no restriction stands. `appealed` are those of them that were upheld, which is final."""

    def __init__(self, stage, person):
        super().__init__(stage, person)
        self.advert = self.ask(f"{BOARD}/PinAdvert", title=self.word()).id
        self.restrictions, self.appealed, self.comment = [], set(), None

    def may_post(self):
        """Looks, by what is posted anyway: each comment takes the place of the one before, and the doubt about it with it."""
        text = f"{self.word()} is stupid"
        try:
            posted = self.ask(f"{COMMENTS}/PostComment", subject_id=self.advert, text=text)
        except Refused as refusal:
            assert refusal.reason == "RESTRICTED", refusal
            return False
        if self.comment is not None:
            self.ask(f"{COMMENTS}/DeleteComment", comment_id=self.comment)
        self.comment = posted.id
        return True

    def do_post(self):
        assert self.may_post() == (not self.restrictions), f"posted under {self.restrictions}"

    def do_restrict(self):
        if len(self.restrictions) < MOST_RESTRICTIONS:
            end = {"seconds": int(time.time()) + self.rng.randrange(1, 24) * HOUR_SECONDS}
            restriction = self.stage.ask(
                self.stage.admin, f"{MODERATION}/RestrictAccount", user_id=self.person.user_id, end_time=end,
                policy="POLICY_SPAM")  # fmt: skip
            self.restrictions.append(restriction.report_id)

    def do_appeal(self):
        open_ones = [each for each in self.restrictions if each not in self.appealed]
        if not open_ones:
            return
        report = self.rng.choice(open_ones)
        self.ask(f"{MODERATION}/Appeal", report_id=report, text=self.word())
        verdict = self.rng.choice(["VERDICT_OVERTURN", "VERDICT_UPHOLD"])
        self.stage.ask(self.stage.ops, f"{MODERATION}/DecideAppeal", report_id=report, verdict=verdict)
        if verdict == "VERDICT_OVERTURN":
            self.restrictions.remove(report)
        else:
            self.appealed.add(report)

    def do_lift(self):
        if self.rng.random() < 0.3:
            self.stage.ask(self.stage.admin, f"{MODERATION}/LiftRestriction", user_id=self.person.user_id)
            self.restrictions.clear()

    def verify(self):
        self.do_post()
