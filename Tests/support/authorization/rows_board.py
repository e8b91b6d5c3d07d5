"""The example domain: adverts, and what they give away."""

from ..board import BOARD, GIVEAWAYS
from .callers import SECTION_ROLES
from .rows import Service

board, giveaways = Service(BOARD), Service(GIVEAWAYS)
board("PinAdvert", fields=lambda w: {"title": "For all to see"}, triers=("owner", "stranger"))
board("OpenSection", fields=lambda w: {"title": "Furniture"}, triers=("stranger",))
board("ListAdverts")
board("GetTerms", fields=lambda w: {"at_time": {"seconds": 4_000_000_000}})
# Nobody looks after the section of an advert that hangs in none.
board("ClearAdvert", "private_advert", "advert_id", is_proved=False)
board("ClearAdvert", "section_advert", "advert_id", granted=SECTION_ROLES, is_fresh=True)
for thing, whose in {"private_advert": {}, "public_advert": {"hidden_from": ("blocked",)}}.items():
    board("GetAdvert", thing, "advert_id", **whose)
    giveaways("GetGiveaway", thing, "advert_id", **whose)
    giveaways("JoinGiveaway", thing, "advert_id", **whose)
    board("InviteToAdvert", thing, "advert_id", fields=lambda w: {"email": "friend@example.org"}, **whose)
giveaways("OfferGiveaway", "bare_advert", "advert_id", fields=lambda w: {"pieces": 1}, is_fresh=True)
giveaways("ClaimPiece", "private_advert", "advert_id", fields=lambda w: {"ticket": w.thing("ticket")},
          prepare=lambda w: w.renew_ticket())  # fmt: skip
# It is the owner's ticket, and for another advert.
giveaways("ClaimPiece", "public_advert", "advert_id", fields=lambda w: {"ticket": w.thing("ticket")}, is_proved=False,
          hidden_from=("blocked",))  # fmt: skip
# Gives the ticket up.
giveaways("LeaveGiveaway", "private_advert", "advert_id")
giveaways("LeaveGiveaway", "public_advert", "advert_id", hidden_from=("blocked",))
board("SetAdvertPrivacy", "private_advert", "advert_id", fields=lambda w: {"is_private": True})
# Nobody talks beside it.
board("BanFromThread", "private_advert", "advert_id", fields=lambda w: {"user_id": w.thing("disposable_user")},
      is_proved=False)  # fmt: skip
board("RemoveAdvert", "private_advert", "advert_id", is_fresh=True)
