"""All the people of a storm over every module of the platform."""

import itertools

from .media import Uploader
from .notices import DEMO_PASSWORD
from .people import Person
from .stage import AUDIT
from .storm_accounts import Grantor, Guest, Leaver, Member, Prover
from .storm_board import Pinner
from .storm_moderation import Offender
from .storm_modules import Herald, Keeper, Sender, Talker


class Company:
    """All of them on one stage. `spool` is where their letters are."""

    def __init__(self, stage, spool):
        self.stage = stage
        numbers = itertools.count()

        def person(kind=Person):
            return kind(stage.channel, f"storm_{next(numbers)}")

        outsiders = [person() for _ in range(3)]
        self.members = [Member(stage, person(), outsiders) for _ in range(4)]
        for member in self.members:
            member.others = [other for other in self.members if other is not member]
        shared = [stage.rng.randbytes(30_000) for _ in range(3)]
        self.herald = Herald(stage, stage.admin, self.members)
        self.leaver = Leaver(stage, person(), self.members[0].person)
        self.pinners = [Pinner(stage, person(), person()) for _ in range(2)]
        self.actors = [
            *self.members, Guest(stage, person()), Prover(stage, person(), spool),
            *(Sender(stage, person(Uploader), shared) for _ in range(2)),
            *(Talker(stage, person(), stage.ops) for _ in range(2)),
            *self.pinners, self.herald, Keeper(stage, stage.ops),
            Offender(stage, person()),
            Grantor(stage, Person(stage.channel, "demo_admin", DEMO_PASSWORD, register=False), outsiders), self.leaver,
        ]  # fmt: skip

    def verify(self):
        for actor in self.actors:
            actor.verify()
        stage = self.stage
        stage.ask(stage.ops, f"{AUDIT}/VerifyChain")
        broken = [report for report in self.reports() if report.violations]
        assert broken == [], broken

    def topics_with_holes(self):
        """Those from which something may have been taken."""
        return set().union(self.leaver.topics, *(pinner.topics for pinner in self.pinners))

    def reports(self):
        """What each module says of its invariants."""
        return self.stage.ask(self.stage.ops, f"{AUDIT}/CheckInvariants").invariants
