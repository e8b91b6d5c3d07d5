"""What people say: following, comments, reactions, links, reviews, moderation, rooms, notices, search."""

import time

from .answers import DENIED
from .callers import MODERATORS, SEES_HIDDEN
from .rows import Service
from .world import RIDE_STAFF

FAR = {"seconds": int(time.time()) + 30 * 86400}
# Things that nobody but these may know of, by the names of their kinds. Each method that takes any thing gets them all.
PRIVATE_SUBJECTS = {
    "hidden_user": {"owner": "hidden", "also": SEES_HIDDEN},
    "ride": {"owner": "owner", "also": ("driver", *RIDE_STAFF)},
    "room": {"owner": "owner", "also": ("support", "machine")},
    "message": {"owner": "owner", "also": ("support", "machine")},
    "private_advert": {"owner": "owner", "also": ()},
    "hidden_comment": {"owner": "owner", "also": ()},
    "hidden_review": {"owner": "owner", "also": ("spare",)},
    "thread": {"owner": "owner", "also": ()},
    "thread_message": {"owner": "owner", "also": ()},
}
# Of users and adverts all see, but those who have been blocked and those who have blocked.
PUBLIC_SUBJECTS = {"public_user": ("blocked",), "blocker_user": ("owner",), "public_advert": ("blocked",)}


def for_all_subjects(service, method, field, *, fields=lambda w: {}, is_hidden_by_own_blocks=True):
    """Rows for things of each kind. Who may know of a thing need not be one who may do this with it."""
    for thing, of in PRIVATE_SUBJECTS.items():
        service(method, thing, field, fields=fields, owner="", is_proved=False, knowers=(of["owner"], *of["also"]))
    for thing, hidden_from in PUBLIC_SUBJECTS.items():
        if thing == "blocker_user" and not is_hidden_by_own_blocks:
            hidden_from = ()
        service(method, thing, field, fields=fields, is_proved=False, hidden_from=hidden_from)


follows = Service("octet.social.v1.FollowService")
# Nobody follows who wants to be seen by nobody.
follows("Follow", "hidden_user", "target_id", owner="", knowers=("hidden",), is_proved=False)
follows("Follow", "public_user", "target_id", hidden_from=("blocked",))
follows("Follow", "blocker_user", "target_id", hidden_from=("owner",))
for thing in PRIVATE_SUBJECTS.keys() - {"hidden_user"}:
    follows("Follow", thing, "target_id", owner="", is_proved=False)
follows("RespondFollow", fields=lambda w: {"follower_id": w.thing("hidden_user")}, is_proved=False)
# What these are asked for need not be there: they say nothing of what is.
follows("Unfollow", "hidden_user", "target_id", hidden_from=(), triers=("spare", "stranger"))
for method in ("Block", "Unblock", "Mute", "Unmute"):
    follows(method, "hidden_user", "user_id", hidden_from=(), triers=("spare", "lapsed"))
for_all_subjects(follows, "ListFollowers", "target_id")
follows("ListFollowing", "hidden_user", "user_id", owner="hidden", also=SEES_HIDDEN)
follows("ListFollowing", "public_user", "user_id", hidden_from=("blocked",))
for kind in ("REQUEST_RECEIVED", "REQUEST_SENT", "BLOCKED", "MUTED"):
    follows("ListRelations", fields=lambda w, kind=kind: {"kind": f"RELATION_KIND_{kind}"})

comments = Service("octet.social.v1.CommentService")
for_all_subjects(comments, "PostComment", "subject_id", fields=lambda w: {"text": "Well said"})
for_all_subjects(comments, "ListComments", "subject_id")
for_all_subjects(comments, "WatchComments", "subject_id")
# Whoever sees a thing that takes comments posts, lists and watches them.
for thing, whose in {"private_advert": {}, "public_advert": {"hidden_from": ("blocked",)}}.items():
    comments("PostComment", thing, "subject_id", fields=lambda w: {"text": "Well said"}, **whose)
    comments("ListComments", thing, "subject_id", **whose)
    comments("WatchComments", thing, "subject_id", **whose)
comments("EditComment", "hidden_comment", "comment_id", fields=lambda w: {"text": "So it is", "etag": "1"},
         is_fresh=True)  # fmt: skip
comments("DeleteComment", "hidden_comment", "comment_id", is_fresh=True)

reactions = Service("octet.social.v1.ReactionService")
for_all_subjects(reactions, "SetReaction", "subject_id", fields=lambda w: {"kind": "REACTION_KIND_LIKE"})
for_all_subjects(reactions, "WatchCounters", "subject_id")
for thing in ("private_advert", "hidden_comment"):
    reactions("SetReaction", thing, "subject_id", fields=lambda w: {"kind": "REACTION_KIND_LIKE"})
    reactions("WatchCounters", thing, "subject_id")
reactions("ClearReaction", "ride", "subject_id", fields=lambda w: {"kind": "REACTION_KIND_LIKE"}, hidden_from=())
reactions("ListReactions", "hidden_user", "user_id", fields=lambda w: {"kind": "REACTION_KIND_LIKE"}, owner="hidden",
          also=SEES_HIDDEN)  # fmt: skip
reactions("ListReactions", "public_user", "user_id", fields=lambda w: {"kind": "REACTION_KIND_LIKE"},
          hidden_from=("blocked",))  # fmt: skip
# What others have saved nobody sees, also of those who may be seen.
reactions("ListReactions", "hidden_user", "user_id", fields=lambda w: {"kind": "REACTION_KIND_SAVE"}, owner="hidden",
          knowers=SEES_HIDDEN)  # fmt: skip

shares = Service("octet.social.v1.ShareService")
for_all_subjects(shares, "CreateShareLink", "subject_id")
shares("ResolveShareLink", "share_token", "token", also=("driver", *RIDE_STAFF))
shares("ListShareLinks")
shares("RevokeShareLink", "share_link", "link_id")

reviews = Service("octet.social.v1.ReviewService")
# Over a ride nobody reviews any of these: whoever sees the thing is told so.
for_all_subjects(reviews, "SubmitReview", "subject_id", fields=lambda w: {"key_id": w.thing("ride"), "score": 5})
for_all_subjects(reviews, "ListReviews", "subject_id")
reviews("ListReviews", "private_advert", "subject_id")
reviews("GetReview", "hidden_review", "review_id", knowers=("spare",))
reviews("GetReview", "review", "review_id", hidden_from=("blocked",))
opinion = {"score": 4, "etag": "1"}
reviews("UpdateReview", "review", "review_id", fields=lambda w: opinion, owner="spare", is_fresh=True)
reviews("UpdateReview", "hidden_review", "review_id", fields=lambda w: opinion, owner="", knowers=("owner", "spare"),
        is_proved=False)  # fmt: skip
for thing in ("review", "hidden_review"):
    reviews("ReplyReview", thing, "review_id", fields=lambda w: {"text": "Thank you"}, is_fresh=True)
reviews("DeleteReview", "hidden_review", "review_id", owner="spare", is_fresh=True)

moderation = Service("octet.social.v1.ModerationService")
for_all_subjects(moderation, "ReportContent", "target_id", fields=lambda w: {"policy": "POLICY_OTHER"},
                 is_hidden_by_own_blocks=False)  # fmt: skip
moderation("ListMyCases")
moderation("ListMyCases", fields=lambda w: {"about_me": True})
moderation("ListQueue")
moderation("WatchQueue")
moderation("Decide", "report", "report_id", fields=lambda w: {"verdict": "VERDICT_REJECT"})
moderation("Appeal", "report", "report_id", fields=lambda w: {"text": w.word("appeal", *MODERATORS)})
moderation("DecideAppeal", "report", "report_id", fields=lambda w: {"verdict": "VERDICT_UPHOLD"})
moderation("RestrictAccount", "disposable_user", "user_id",
           fields=lambda w: {"end_time": FAR, "policy": "POLICY_SPAM"})  # fmt: skip
moderation("LiftRestriction", "disposable_user", "user_id")
moderation("PutWordList", fields=lambda w: w.word_list(), is_fresh=True)

rooms = Service("octet.chat.v1.ChatService")
rooms("OpenRoom", fields=lambda w: {"kind": "ROOM_KIND_SUPPORT"}, triers=("owner", "stranger"))
rooms("OpenRoom", "ride", "subject_id", fields=lambda w: {"kind": "ROOM_KIND_SUPPORT"}, also=("driver", *RIDE_STAFF))
for thing, of in PRIVATE_SUBJECTS.items():
    rooms("OpenRoom", thing, "subject_id", fields=lambda w: {"kind": "ROOM_KIND_THREAD"}, owner="", is_proved=False,
          knowers=(of["owner"], *of["also"]))  # fmt: skip
rooms("Chat", "room", "room_id", fields=lambda w: {"frame": {"join": {}}})
rooms("ListRooms")
rooms("ListRooms", fields=lambda w: {"waiting": True}, is_for="support", refusals=(DENIED,))
rooms("ListMessages", "room", "room_id")
rooms("MarkRoomRead", "room", "room_id", fields=lambda w: {"number": 1}, knowers=("support", "machine"))
rooms("TakeRoom", "room", "room_id")
# A ride's room is that of its two sides alone, by whichever way.
for method, fields in {
    "Chat": {"frame": {"join": {}}}, "ListMessages": {}, "MarkRoomRead": {"number": 1}, "CloseRoom": {}
}.items():  # fmt: skip
    rooms(method, "ride_room", "room_id", fields=lambda w, fields=fields: fields, owner="", is_proved=False,
          knowers=("owner", "driver"))  # fmt: skip
# A thread is that of those who see what it is beside.
rooms("OpenRoom", "private_advert", "subject_id", fields=lambda w: {"kind": "ROOM_KIND_THREAD"})
for method, fields in {"Chat": {"frame": {"join": {}}}, "ListMessages": {}, "MarkRoomRead": {"number": 1}}.items():
    rooms(method, "thread", "room_id", fields=lambda w, fields=fields: fields, triers=("owner",))
    # Support is let in to rooms of its own, and to no thread that it does not see.
    rooms(method, "thread", "room_id", fields=lambda w, fields=fields: fields, owner="", knowers=("owner",),
          is_proved=False)  # fmt: skip
rooms("TakeRoom", "thread", "room_id", owner="", knowers=("owner", "support", "machine"), is_proved=False)
rooms("CloseRoom", "thread", "room_id", is_fresh=True)
rooms("CloseRoom", "room", "room_id")

notices = Service("octet.notify.v1.NotificationService")
notices("WatchInbox")
notices("ListInbox")
notices("MarkRead", fields=lambda w: {"number": 1})
notices("GetChannels")
notices("SetChannels", fields=lambda w: {"etag": w.channels_etag()}, triers=("stranger",))
notices("RegisterPush", fields=lambda w: {"address": f"https://push.example/{w.word('device')}"}, triers=("spare",))
notices("RemovePush", "push", "push_id", is_fresh=True)
# The token is in a mail alone.
notices("Unsubscribe", fields=lambda w: {"token": "forged"}, is_proved=False)
notices("PutTemplate", fields=lambda w: w.template())
notices("Announce", fields=lambda w: {"segment": {"role": "rides.ops"}, "texts": [{"language": "en", "title": "News"}]})
notices("ListDeliveries", "public_user", "user_id")

search = Service("octet.search.v1.SearchService")
search("Search", fields=lambda w: {"text": w.beginning(), "completes_last_word": True})
search("Search", fields=lambda w: {"text": "m_hidden"})
search("Search", fields=lambda w: {"kind": "user", "page_size": 100})
search("Suggest", fields=lambda w: {"text": w.beginning()})
search("Reindex", is_proved=True)
search("GetIndexState")
