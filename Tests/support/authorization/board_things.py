"""Adverts that callers see or do not see, and what people have said about them."""

from .. import stubs
from ..board import BOARD, GIVEAWAYS, take_ticket
from .callers import MODERATORS, grant

CHAT = "octet.chat.v1.ChatService"
PIECES = 1000

comments = stubs.module("octet.social.v1.comment_service_pb2")


class BoardThings:
    """Mixed into the world."""

    def make_public_advert(self):
        return self._advert("For all to see")

    def make_section_advert(self):
        """In the section that is looked after."""
        section = self.callers.section
        return self.call("owner", f"{BOARD}/PinAdvert", title="For all to see", section_id=section).id

    def make_section(self):
        return self.callers.section

    def make_section_grant(self):
        user = self.make_disposable_user()
        return grant(self.callers["pinboard.owner"], user, "pinboard.editor", resource_id=self.callers.section).id

    def section_credential(self, section):
        """What a machine is to have that looks after a section."""
        key = self.credential()["public_key"]
        return {"name": self.word("credential", "pinboard.owner", "admin"), "kind": "CREDENTIAL_KIND_WORKER",
                "public_key": key, "roles": [{"role": "pinboard.editor", "resource_id": section}]}  # fmt: skip

    def make_section_credential(self):
        path = "octet.identity.v1.CredentialService/CreateCredential"
        made = self.call("pinboard.owner", path, **self.section_credential(self.callers.section))
        return self.keep(made.id, "pinboard.owner")

    def make_bare_advert(self):
        """A hidden one that gives nothing away."""
        return self._hide(self._advert(self.word("bare", "owner"), pieces=0))

    def make_private_advert(self):
        return self._hide(self._advert(self.word("advert", "owner")))

    def _advert(self, title, pieces=PIECES):
        advert = self.call("owner", f"{BOARD}/PinAdvert", title=title).id
        if pieces:
            self.call("owner", f"{GIVEAWAYS}/OfferGiveaway", advert_id=advert, pieces=pieces)
        return advert

    def _hide(self, advert, *knowers):
        self.call("owner", f"{BOARD}/SetAdvertPrivacy", advert_id=advert, is_private=True)
        return self.keep(advert, "owner", *knowers)

    def make_hidden_comment(self):
        """On a hidden advert, by its owner."""
        path, text = "octet.social.v1.CommentService/PostComment", self.word("comment", "owner")
        advert = self.thing("private_advert")
        return self.keep(self.call("owner", path, subject_id=advert, text=text).id, "owner")

    def _review(self, advert, text):
        """By somebody who has taken a piece."""
        ticket = take_ticket(self.callers["spare"], advert)
        claim = self.call("spare", f"{GIVEAWAYS}/ClaimPiece", advert_id=advert, ticket=ticket).id
        path = "octet.social.v1.ReviewService/SubmitReview"
        return self.call("spare", path, subject_id=advert, key_id=claim, score=5, text=text).id

    def make_review(self):
        return self._review(self._advert("For all to see"), "Well worth it")

    def make_hidden_review(self):
        """Of an advert that was hidden after that."""
        advert = self._advert(self.word("reviewed", "owner", "spare"))
        # Moderators read what is reported, and the review is.
        review = self._review(advert, self.word("review", "owner", "spare", *MODERATORS))
        # Whose own review names it still.
        self._hide(advert, "spare")
        return self.keep(review, "owner", "spare")

    def make_ticket(self):
        """The owner's, for a piece of the hidden advert."""
        return self.ticket_of("owner", self.thing("private_advert"))

    def renew_ticket(self):
        """The one that there is may be good no more."""
        self.call("owner", f"{GIVEAWAYS}/LeaveGiveaway", advert_id=self.thing("private_advert"))
        self._things["ticket"] = self.make_ticket()

    def ticket_of(self, name, advert):
        return take_ticket(self.callers[name], advert)

    def make_insult(self):
        """A word for which a text is held back until a moderator has looked at it."""
        insult = {"text": "florp", "weight": 900, "category": "TOXIC_CATEGORY_INSULT"}
        path = "octet.social.v1.ModerationService/PutWordList"
        self.call("moderator", path, list={"language": "en", "words": [insult]})
        return insult["text"]

    def insulting_text(self, author):
        return f"{self.thing('insult')} {self.word('held', author, *MODERATORS)}"

    def held_comment(self, author, subject, **fields):
        path = "octet.social.v1.CommentService/PostComment"
        made = self.call(author, path, subject_id=subject, text=self.insulting_text(author), **fields)
        assert made.state == comments.COMMENT_STATE_HELD
        return made.id

    def make_thread(self):
        """Beside a hidden advert."""
        advert = self.make_private_advert()
        room = self.call("owner", f"{CHAT}/OpenRoom", kind="ROOM_KIND_THREAD", subject_id=advert).id
        self.say("owner", f"{CHAT}/Chat", self.word("thread", "owner"), room_id=room)
        return self.keep(room, "owner")

    def make_thread_message(self):
        page = self.call("owner", f"{CHAT}/ListMessages", room_id=self.thing("thread"))
        return self.keep(page.messages[0].id, "owner")
