"""People of a storm who pin adverts, and say and take what there is to say about and to be had from them."""

from . import stubs
from .board import BOARD, GIVEAWAYS
from .stage import CHAT, REPORTS_A_DAY, SOCIAL, Actor
from .world import CALL_SECONDS, Unsaid

COMMENTS, REACTIONS = f"{SOCIAL}.CommentService", f"{SOCIAL}.ReactionService"
REVIEWS, MODERATION = f"{SOCIAL}.ReviewService", f"{SOCIAL}.ModerationService"
PIECES = 5
MOST_COMMENTS, MOST_GIFTS, MOST_POLLS, OPTIONS = 20, 4, 3, 3


class Pinner(Actor):
    """Has an advert that stays, on which the guests talk, and others that give something away and come down."""

    def __init__(self, stage, person, guest):
        super().__init__(stage, person)
        self.guest = guest
        self.advert = self.pin().id
        self.room = self.ask(f"{CHAT}/OpenRoom", kind="ROOM_KIND_THREAD", subject_id=self.advert).id
        self.comments, self.likes = {}, set()
        # What stands in the room by its numbers, and which of it the guest has written.
        self.said, self.by_guest = {}, set()
        # Of what is taken away there, the events go, too.
        self.topics = set()
        # The answers to polls by their numbers and those who gave them.
        self.hearts, self.votes = 0, {}
        # The guest's reviews by the adverts that were reviewed.
        self.gifts, self.reports = {}, 0

    def pin(self):
        return self.ask(f"{BOARD}/PinAdvert", title=self.word())

    def ask_as_guest(self, path, **fields):
        return self.stage.ask(self.guest, path, **fields)

    def do_comment(self):
        if len(self.comments) >= MOST_COMMENTS:
            gone = self.rng.choice(sorted(self.comments))
            del self.comments[gone]
            self.ask_as_guest(f"{COMMENTS}/DeleteComment", comment_id=gone)
        else:
            comment = self.ask_as_guest(f"{COMMENTS}/PostComment", subject_id=self.advert, text=self.word())
            self.comments[comment.id] = comment.text

    def do_edit(self):
        listed = self.ask_as_guest(f"{COMMENTS}/ListComments", subject_id=self.advert, page_size=1).comments
        if listed:
            fields = {"comment_id": listed[0].id, "etag": listed[0].etag, "text": self.word()}
            self.comments[listed[0].id] = self.ask_as_guest(f"{COMMENTS}/EditComment", **fields).text

    def do_like(self):
        subject = self.rng.choice([self.advert, *self.comments])
        method = "ClearReaction" if subject in self.likes else "SetReaction"
        self.likes.symmetric_difference_update({subject})
        self.ask_as_guest(f"{REACTIONS}/{method}", subject_id=subject, kind="REACTION_KIND_LIKE")

    def do_talk(self):
        text, person = self.word(), self.rng.choice([self.person, self.guest])
        number = self.in_room(person, "post", text=text)
        self.note(number, text)
        if person is self.guest:
            self.by_guest.add(number)

    def in_room(self, person, deed, **fields):
        return self.stage.do_in_room(person, f"{CHAT}/Chat", deed, fields, room_id=self.room)

    def note(self, number, text):
        assert number not in self.said, "two posts with one number"
        self.said[number] = text
        with self.stage.lock:
            self.stage.said.append(text)

    def do_give_hearts(self):
        count = self.rng.randrange(1, 51)
        try:
            self.in_room(self.guest, "hearts", count=count)
            self.hearts += count
        except Unsaid as refusal:
            assert refusal.reason == "SLOW_MODE", refusal

    def do_ask_or_vote(self):
        if len(self.votes) < MOST_POLLS:
            text = self.word()
            number = self.in_room(self.person, "start_poll", question=text, options=[self.word() for _ in range(OPTIONS)])
            self.note(number, text)
            self.votes[number] = {}
        else:
            number, option = self.rng.choice(sorted(self.votes)), self.rng.randrange(OPTIONS)
            person = self.rng.choice([self.person, self.guest])
            assert self.in_room(person, "vote", number=number, option=option) == number
            self.votes[number][person.user_id] = option

    def do_give(self):
        """Pins something that the guest queues for, takes a piece of and reviews."""
        advert = self.pin().id
        self.ask(f"{GIVEAWAYS}/OfferGiveaway", advert_id=advert, pieces=PIECES)
        claim = self.ask_as_guest(f"{GIVEAWAYS}/ClaimPiece", advert_id=advert, ticket=self.wait_for_ticket(advert))
        fields = {"subject_id": advert, "key_id": claim.id, "score": self.rng.randrange(1, 6), "text": self.word()}
        self.gifts[advert] = self.ask_as_guest(f"{REVIEWS}/SubmitReview", **fields).id
        if len(self.gifts) > MOST_GIFTS:
            old = next(iter(self.gifts))
            del self.gifts[old]
            self.ask(f"{BOARD}/RemoveAdvert", advert_id=old)

    def wait_for_ticket(self, advert):
        request = stubs.message_class("octet.pinboard.v1.JoinGiveawayRequest")(advert_id=advert)

        def once():
            for row in self.guest.stream(f"{GIVEAWAYS}/JoinGiveaway", request, timeout=CALL_SECONDS):
                if row.WhichOneof("event") == "ticket":
                    return row.ticket.text
            return None

        ticket = None
        while ticket is None:  # Whose place was given up, or whose stream came to an end, queues again.
            ticket = self.stage.insist(self.guest, once)
        return ticket

    def is_removed(self, target):
        """Moderators take something away that the guest has written, unless another of them has just decided otherwise; the
        guest may have it back. Returns whether it is gone."""
        if self.reports == REPORTS_A_DAY:
            return False
        self.reports += 1
        report = self.ask(f"{MODERATION}/ReportContent", target_id=target, policy="POLICY_SPAM")
        ruling = {"verdict": "VERDICT_ACT", "measure": "MEASURE_REMOVE", "policy": "POLICY_SPAM"}
        if not self.stage.decide(report.id, **ruling):
            return False
        if self.rng.random() < 0.5:
            return True
        self.ask_as_guest(f"{MODERATION}/Appeal", report_id=report.id, text=self.word())
        self.stage.ask(self.stage.ops, f"{MODERATION}/DecideAppeal", report_id=report.id, verdict="VERDICT_OVERTURN")
        return False

    def do_remove_a_review(self):
        if self.gifts:
            advert = self.rng.choice(sorted(self.gifts))
            if self.is_removed(self.gifts[advert]):
                del self.gifts[advert]

    def do_remove_a_message(self):
        newest = self.ask(f"{CHAT}/ListMessages", room_id=self.room, page_size=20).messages
        written = [message for message in newest if message.number in self.by_guest and message.text]
        if written:
            message = self.rng.choice(written)
            self.topics.add(f"room/{self.room}")
            if self.is_removed(message.id):
                self.said[message.number] = ""

    def verify(self):
        listed = self.stage.all_of(self.guest, f"{COMMENTS}/ListComments", "comments", subject_id=self.advert)
        assert {comment.id: comment.text for comment in listed} == self.comments
        likes = self.stage.all_of(
            self.guest, f"{REACTIONS}/ListReactions", "reactions", user_id=self.guest.user_id,
            kind="REACTION_KIND_LIKE")  # fmt: skip
        alive = {self.advert, *self.comments}
        assert {like.subject_id for like in likes} & alive == self.likes & alive
        messages = self.stage.all_of(self.person, f"{CHAT}/ListMessages", "messages", room_id=self.room)
        assert {message.number: message.text for message in messages} == self.said
        assert [message.number for message in messages] == list(range(len(self.said), 0, -1))
        for message in messages:
            counts = [option.vote_count for option in message.poll.options]
            votes = list(self.votes.get(message.number, {}).values())
            assert counts == ([votes.count(option) for option in range(OPTIONS)] if message.number in self.votes else [])
        assert self.stage.joined(self.guest, f"{CHAT}/Chat", room_id=self.room).heart_total == self.hearts
        for advert, review in self.gifts.items():
            page = self.ask(f"{REVIEWS}/ListReviews", subject_id=advert)
            assert ([each.id for each in page.reviews], page.review_count) == ([review], 1)
            giveaway = self.ask(f"{GIVEAWAYS}/GetGiveaway", advert_id=advert)
            assert (giveaway.given, giveaway.pieces, giveaway.waiting) == (1, PIECES, 0)
