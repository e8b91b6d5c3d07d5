"""What the shared domains do for the board: through a real octetd-board."""

import grpc
from support import stubs
from support.board import BOARD, GIVEAWAYS, ask, hide, offer, pin, take_ticket
from support.curl import curl
from support.keys import SigningKey
from support.media import SERVICE as MEDIA
from support.media import Uploader, blobs
from support.notices import DEMO_PASSWORD, await_that, letters
from support.people import Person, Stranger, log_in, outcome, request_id
from support.puzzles import solve
from support.rooms import CHAT, RoomStream
from support.stage import ROLES, SOCIAL

SHARES, MODERATION = f"{SOCIAL}.ShareService", f"{SOCIAL}.ModerationService"
COMMENTS, SEARCH = f"{SOCIAL}.CommentService", "octet.search.v1.SearchService"
AUDIT, ADMIN, SESSIONS = "octet.audit.v1.AuditService", "octet.admin.v1.AdminService", "octet.identity.v1.SessionService"
NOT_FOUND = grpc.StatusCode.NOT_FOUND


def name():
    return f"p_{request_id()[:8]}"


def moderators(channel):
    """Two who hold the role by now: a token names the grants of when it was made."""
    admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
    for handle in (name(), name()):
        ask(admin, f"{ROLES}/GrantRole", user_id=Person(channel, handle).user_id, role="social.moderator")
        yield Person(channel, handle, register=False)


def pin_photo(person, content):
    upload = person.create(content, blobs.BLOB_KIND_IMAGE)
    person.go_on(upload.id, content)
    return pin(person, "A boat", photo_upload_id=upload.id)


def test_a_photo_is_shown_to_those_who_see_its_advert(board, picture):
    with board.channel() as channel:
        owner, other = Uploader(channel, name()), Person(channel, name())
        advert = pin_photo(owner, picture)
        assert owner.watch(advert.photo_id).state == blobs.BLOB_STATE_READY

        def sign():
            return ask(other, f"{MEDIA}/SignUrl", blob_id=advert.photo_id, subject_id=advert.id, name="w160").path

        url = f"http://{board.address}{sign()}"
        answer = curl(url)
        assert answer.status == 200 and answer.headers["content-type"] == "image/webp"
        hide(owner, advert.id)
        assert outcome(sign)[0] == NOT_FOUND
        assert curl(url).status == 404
        hide(owner, advert.id, False)
        assert curl(url).status == 200
        ask(owner, f"{BOARD}/RemoveAdvert", advert_id=advert.id)
        assert curl(url).status == 404


def test_what_is_no_picture_is_no_photo(board):
    with board.channel() as channel:
        owner, content = Uploader(channel, name()), request_id().encode()
        upload = owner.create(content, blobs.BLOB_KIND_IMAGE)
        blob = owner.go_on(upload.id, content).blob_id
        assert owner.watch(blob).state == blobs.BLOB_STATE_FAILED
        refusal = outcome(lambda: pin(owner, "A boat", photo_upload_id=upload.id))[:2]
        assert refusal == (grpc.StatusCode.FAILED_PRECONDITION, "BAD_PHOTO")


def test_an_invitation_is_a_letter_with_a_link_that_credits_its_sender(board):
    with board.channel() as channel:
        owner, friend, reader = (Person(channel, name()) for _ in range(3))
        advert, address = pin(owner, "A boat").id, f"{name()}@example.org"
        ask(friend, f"{BOARD}/InviteToAdvert", advert_id=advert, email=address)

        def arrived():
            return [one for one in letters(board.data / "spool").values() if one and one["address"] == address]

        await_that(arrived, "no letter goes out")
        (letter,) = arrived()
        token = letter["text"].split(": ")[-1].split()[0]
        link = ask(reader, f"{SHARES}/ResolveShareLink", token=token)
        assert link.subject_id == advert
        (made,) = ask(friend, f"{SHARES}/ListShareLinks").links
        assert (made.subject_id, made.use_count) == (advert, 1)


def test_what_moderators_remove_is_gone_with_all_that_hangs_on_it_until_that_is_overturned(board):
    with board.channel() as channel:
        owner, other = Person(channel, name()), Person(channel, name())
        first, second = moderators(channel)
        title = "w" + request_id().replace("-", "")
        advert = pin(owner, title, text="Not to be missed").id
        offer(owner, advert)
        comment = ask(other, f"{COMMENTS}/PostComment", subject_id=advert, text="Is it still there?").id
        room = ask(owner, f"{CHAT.split('/')[0]}/OpenRoom", kind="ROOM_KIND_THREAD", subject_id=advert).id

        def answers(person):
            return {
                outcome(lambda: ask(person, f"{BOARD}/GetAdvert", advert_id=advert))[0],
                outcome(lambda: ask(person, f"{GIVEAWAYS}/GetGiveaway", advert_id=advert))[0],
                outcome(lambda: ask(person, f"{COMMENTS}/ListComments", subject_id=advert))[0],
                outcome(lambda: RoomStream(person, room_id=room).cut())[0],
            }

        def hits():
            return [hit.subject_id for hit in ask(other, f"{SEARCH}/Search", text=title).hits]

        report = ask(other, f"{MODERATION}/ReportContent", target_id=advert, policy="POLICY_SPAM").id
        (waiting,) = [row for row in ask(first, f"{MODERATION}/ListQueue").reports if row.id == report]
        assert waiting.content == f"{title}\nNot to be missed"
        assert answers(other) == {grpc.StatusCode.OK} and hits() == [advert]
        removal = {"verdict": "VERDICT_ACT", "measure": "MEASURE_REMOVE", "policy": "POLICY_SPAM"}
        ask(first, f"{MODERATION}/Decide", report_id=report, **removal)
        assert answers(other) == answers(owner) == {NOT_FOUND} and hits() == []
        ask(owner, f"{MODERATION}/Appeal", report_id=report, text="It is none")
        ask(second, f"{MODERATION}/DecideAppeal", report_id=report, verdict="VERDICT_OVERTURN")
        assert answers(other) == {grpc.StatusCode.OK} and hits() == [advert]
        assert [row.id for row in ask(other, f"{COMMENTS}/ListComments", subject_id=advert).comments] == [comment]
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        broken = [check for check in ask(ops, f"{AUDIT}/CheckInvariants").invariants if check.violations]
        assert broken == []


def test_a_puzzle_before_a_claim_is_solved_for_the_device_that_claims(board, tmp_path):
    with board.channel() as channel:
        owner, guest = Person(channel, name()), Person(channel, name())
        advert = pin(owner, "A boat").id
        offer(owner, advert)
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        rule = {"user_ids": [guest.user_id], "value": {"boolean": True}}
        ask(ops, f"{ADMIN}/PutFlag", name="pinboard.claim_puzzles", value={"boolean": False}, rules=[rule])
        key = SigningKey(tmp_path)
        guest.token = log_in(Stranger(channel), guest.handle, key=key).tokens.access_token
        ticket = take_ticket(guest, advert)

        def claim(solution):
            request = stubs.message_class("octet.pinboard.v1.ClaimPieceRequest")(
                request_id=request_id(), advert_id=advert, ticket=ticket
            )
            call = f"{GIVEAWAYS}/ClaimPiece"
            return outcome(lambda: guest.call(call, request, metadata=(("octet-challenge", solution),)))[:2]

        def solution(**fields):
            return solve(ask(guest, f"{SESSIONS}/GetChallenge", method=f"{GIVEAWAYS}/ClaimPiece", **fields))

        needed = (grpc.StatusCode.FAILED_PRECONDITION, "CHALLENGE_REQUIRED")
        assert claim("none") == claim(solution()) == needed
        assert claim(solution(device_public_key=key.public)) == (grpc.StatusCode.OK, None)
