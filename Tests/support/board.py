"""The example domain, as octetd-board serves it: adverts, what people say about them, and what they give away."""

from .authorization.answers import make_request
from .people import DEADLINE_SECONDS

PROGRAM = "octetd-board"
BOARD = "octet.pinboard.v1.PinboardService"
GIVEAWAYS = "octet.pinboard.v1.GiveawayService"
TERMS = "pinboard.terms"


def ask(person, path, /, **fields):
    """A unary call; one that changes something gets a request_id of its own."""
    return person.call(path, make_request(path, fields))


def listen(person, path, /, timeout=DEADLINE_SECONDS, **fields):
    """A call whose response is a stream."""
    return person.stream(path, make_request(path, fields), timeout=timeout)


def pin(person, title, is_private=False, **fields):
    advert = ask(person, f"{BOARD}/PinAdvert", title=title, **fields)
    return hide(person, advert.id) if is_private else advert


def hide(person, advert, is_private=True):
    return ask(person, f"{BOARD}/SetAdvertPrivacy", advert_id=advert, is_private=is_private)


def offer(person, advert, pieces=1, **fields):
    return ask(person, f"{GIVEAWAYS}/OfferGiveaway", advert_id=advert, pieces=pieces, **fields)


def take_ticket(person, advert):
    """Waits in the queue until it is the person's turn; None if the place came to another end."""
    for row in listen(person, f"{GIVEAWAYS}/JoinGiveaway", advert_id=advert):
        if row.WhichOneof("event") == "ticket":
            return row.ticket.text
    return None


def claim(person, advert):
    """A piece of what an advert gives away."""
    return ask(person, f"{GIVEAWAYS}/ClaimPiece", advert_id=advert, ticket=take_ticket(person, advert))
