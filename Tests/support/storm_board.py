"""People of a storm who pin adverts, and say and take what there is to say about and to be had from them."""

from . import stubs
from .board import BOARD, GIVEAWAYS
from .people import DEADLINE_SECONDS
from .stage import CHAT, SOCIAL, Actor
from .world import Refused

COMMENTS, REACTIONS = f"{SOCIAL}.CommentService", f"{SOCIAL}.ReactionService"
REVIEWS, MODERATION = f"{SOCIAL}.ReviewService", f"{SOCIAL}.ModerationService"
PIECES = 5
MOST_COMMENTS, MOST_GIFTS, REPORTS_A_DAY = 20, 4, 40


class Pinner(Actor):
    """Has an advert that stays, on which the guests talk, and others that give something away and come down."""

    def __init__(self, stage, person, guest):
        super().__init__(stage, person)
        self.guest = guest
        self.advert = self.pin().id
        self.room = self.ask(f"{CHAT}/OpenRoom", kind="ROOM_KIND_THREAD", subject_id=self.advert).id
        self.comments, self.said, self.likes = {}, {}, set()
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
        person, text = self.rng.choice([self.person, self.guest]), self.word()
        number = self.stage.post(person, f"{CHAT}/Chat", text, room_id=self.room)
        assert number not in self.said, "two posts with one number"
        self.said[number] = text
        with self.stage.lock:
            self.stage.said.append(text)

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
            for row in self.guest.stream(f"{GIVEAWAYS}/JoinGiveaway", request, timeout=DEADLINE_SECONDS):
                if row.WhichOneof("event") == "ticket":
                    return row.ticket.text
            return None

        ticket = None
        while ticket is None:  # Whose place was given up, or whose stream came to an end, queues again.
            ticket = self.stage.insist(self.guest, once)
        return ticket

    def do_remove_a_review(self):
        """Moderators take one away, unless somebody else of them has just decided otherwise."""
        if not self.gifts or self.reports == REPORTS_A_DAY:
            return
        self.reports += 1
        advert = self.rng.choice(sorted(self.gifts))
        report = self.ask(f"{MODERATION}/ReportContent", target_id=self.gifts[advert], policy="POLICY_SPAM")
        ruling = {"verdict": "VERDICT_ACT", "measure": "MEASURE_REMOVE", "policy": "POLICY_SPAM"}
        try:
            self.stage.ask(self.stage.admin, f"{MODERATION}/Decide", report_id=report.id, **ruling)
            del self.gifts[advert]
        except Refused as refusal:
            assert refusal.reason == "WRONG_STATE", refusal

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
        for advert, review in self.gifts.items():
            page = self.ask(f"{REVIEWS}/ListReviews", subject_id=advert)
            assert ([each.id for each in page.reviews], page.review_count) == ([review], 1)
            giveaway = self.ask(f"{GIVEAWAYS}/GetGiveaway", advert_id=advert)
            assert (giveaway.given, giveaway.pieces, giveaway.waiting) == (1, PIECES, 0)
