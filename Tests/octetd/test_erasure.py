"""kill -9 while an account is erased, again and again: the erasure goes on until nothing of the person can be found."""

import os
import pathlib
import queue
import random
import signal
import subprocess
import time

import pytest

from support import stubs
from support.codes import account_call, code_in
from support.installation import FORTNIGHT, MINUTE, VICTIMS, Installation
from support.media import Uploader
from support.notices import DEMO_PASSWORD, FLAGS, PATIENCE_SECONDS, announce, await_that, inbox, register_push, staff
from support.people import PASSWORD, Stranger, request_id
from support.rides import Rider
from support.server import BUILD
from support.stage import ACCOUNTS, AUDIT, CHAT, PROFILES, SESSIONS, SOCIAL, VERIFICATION
from support.world import Refused, World

SEED = 20_261_126
HANDLE, NAME, ABOUT = "adaline.harper", "Countess of Nowhere", "plays the glass harp"
STREET, WISH = "Harfenstrasse 77", "window seat only"
SAID, REPORTED = "meet me at the old mill", "she stole my harp"
EMAIL, PHONE, DEVICE, PUSH = "adaline@harper.example", "+358407654321", "Adas Taschentelefon", "https://push.example/ada"
BIRTH = {"year": 1915, "month": 12, "day": 10}
PAPER = b"a page of my diary " * 500
# What is never written in clear, not even while the account is open, and what is.
SEALED = [text.encode() for text in (EMAIL, PHONE, PUSH, STREET, WISH)] + [
    stubs.module("octet.type.v1.types_pb2").Date(**BIRTH).SerializeToString()
]
CLEAR = [text.encode() for text in (HANDLE, NAME, ABOUT, DEVICE, SAID, REPORTED)] + [PAPER[:100]]
TRACES = SEALED + CLEAR
POSTS, NOTICES = 400, 20
# As if a day had passed since contents were let go.
DAY = "UPDATE octet_blobs SET unreferenced_since = 1 WHERE unreferenced_since IS NOT NULL"
KILLS = 4
# Until this is dropped nobody is erased to the end: so the first kill comes amid, however late whoever kills is.
NOT_YET = {
    "SQLite": (
        """CREATE TRIGGER not_yet BEFORE UPDATE OF state ON identity_users WHEN NEW.state = 5
        BEGIN SELECT RAISE(ABORT, 'not yet'); END""",
    ),
    "PostgreSQL": (
        "CREATE FUNCTION not_yet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not yet'; END $$",
        """CREATE TRIGGER not_yet BEFORE UPDATE OF state ON identity_users FOR EACH ROW WHEN (NEW.state = 5)
        EXECUTE FUNCTION not_yet()""",
    ),
}
LET_GO = {
    "SQLite": ("DROP TRIGGER not_yet",),
    "PostgreSQL": ("DROP TRIGGER not_yet ON identity_users", "DROP FUNCTION not_yet()"),
}
# An attempt that has failed waits for some seconds.
AGAIN = "UPDATE octet_timers SET due = 1 WHERE kind = 'identity.erase'"
UNDER_WAY = "SELECT COUNT(*) FROM identity_users WHERE state = 4 AND closed_from IS NULL"
ERASED = "SELECT COUNT(*) FROM identity_users WHERE state = 5"


def live(world, spool):
    """Somebody leaves something in every module, and closes the account. Others are told nothing that names her: that would
    stay theirs (docs/guides/erasure.md)."""
    ada, bob = Uploader(world.channel, HANDLE), Uploader(world.channel, "bob_e")

    def ask(path, **fields):
        return world.ask(ada, path, **fields)

    profile = ask(f"{PROFILES}/GetProfile", user_id=ada.user_id)
    ask(f"{PROFILES}/UpdateProfile", etag=profile.etag, display_name=NAME, about=ABOUT, birth_date=BIRTH)
    for contact in ({"email": EMAIL}, {"phone": PHONE}):
        account_call(ada, "SendCode", **contact)
        account_call(ada, "ConfirmContact", **contact, code=code_in(spool, *contact.values()))
    named = {"login_name": EMAIL, "password": PASSWORD, "device": {"name": DEVICE}}
    world.ask(Stranger(world.channel), f"{SESSIONS}/Login", **named)
    register_push(ada, PUSH)
    where = {"recipient": NAME, "lines": [STREET], "locality": "Leipzig", "region_code": "DE"}
    ask(f"{PROFILES}/PutAddress", address=where)
    ask(f"{PROFILES}/SetPreferences", preferences={"language": "de", "travel_wishes": WISH})
    ask(f"{SOCIAL}.FollowService/Mute", user_id=bob.user_id)
    ask(f"{SOCIAL}.ShareService/CreateShareLink", subject_id=bob.user_id)
    ask(f"{SOCIAL}.ModerationService/ReportContent", target_id=bob.user_id, policy="POLICY_OTHER", text=REPORTED)
    world.ask(bob, f"{SOCIAL}.FollowService/Follow", target_id=ada.user_id)
    talk(ada, ask(f"{CHAT}/OpenRoom", kind="ROOM_KIND_SUPPORT").id)
    ada.send(PAPER)
    paper = ada.create(PAPER * 2)
    ada.go_on(paper.id, PAPER * 2)
    document = {"kind": "VERIFICATION_DOCUMENT_KIND_PASSPORT", "upload_id": paper.id}
    ask(f"{VERIFICATION}/SubmitVerification", documents=[document])
    ops = staff(world.channel)
    for number in range(NOTICES):
        announce(ops, [ada.user_id], f"News {number}")
    await_that(lambda: len(inbox(ada)) >= NOTICES, "not all is told")
    rider = Rider(world.channel, HANDLE, register=False)
    rider.ride_call("CancelRide", rider.request_ride().id)
    ask(f"{ACCOUNTS}/CloseAccount")
    return ada, bob


def talk(person, room):
    """Many posts on one stream."""
    chat, frames = stubs.module("octet.chat.v1.chat_service_pb2"), stubs.module("octet.chat.v1.frames_pb2")
    rows = queue.SimpleQueue()
    rows.put(chat.ChatRequest(room_id=room, frame=frames.ClientFrame(join=frames.Join())))
    for number in range(POSTS):
        post = frames.Post(request_id=request_id(), text=f"{SAID} {number}")
        rows.put(chat.ChatRequest(room_id=room, frame=frames.ClientFrame(post=post)))
    call, missing = person.stream(f"{CHAT}/Chat", iter(rows.get, None), timeout=300), POSTS
    while missing:
        missing -= next(call).frame.HasField("post_accepted")
    rows.put(None)
    call.cancel()


def is_so(installation, sql):
    return installation.query(sql) != ["0"]


def files_in(folder):
    """Also while some go away."""
    return [pathlib.Path(place, name) for place, _, names in os.walk(folder) for name in names]


def content_of(file):
    try:
        return file.read_bytes()
    except FileNotFoundError:  # It has gone meanwhile.
        return b""


def found(installation, folder):
    """Which traces are in the engine's files or among the contents."""
    if installation.postgres is None:
        files = folder.glob("octet.db*")
    else:
        # The log is made of old writes, and is recycled by the server in its own time.
        files = files_in(pathlib.Path(installation.postgres.folder) / "data/base")
    files = [*files, *files_in(folder / "blobs"), *files_in(folder / "media-work")]
    content = b"\0".join(map(content_of, files))
    return [trace for trace in TRACES if trace in content]


def rewrite(installation, folder):
    """Writes the database anew, as the guide to erasure tells operators."""
    if installation.postgres is not None:
        installation.postgres.run("DELETE FROM pg_statistic", database="test1")
        installation.postgres.run("VACUUM FULL", database="test1")
        installation.postgres.run("ANALYZE", database="test1")
        installation.postgres.run("CHECKPOINT")
    else:
        subprocess.run([BUILD / "octetd", "scrub", "--data", folder], check=True, capture_output=True, timeout=120)


def freeze_amid(installation):
    """Lets the server work for moments until somebody is being erased, and leaves it frozen then. Returns whether that was
    before the end."""
    process = installation.server.process
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        process.send_signal(signal.SIGSTOP)
        if is_so(installation, UNDER_WAY):
            return True
        is_over = is_so(installation, ERASED)
        process.send_signal(signal.SIGCONT)
        if is_over:
            return False
        assert time.monotonic() < deadline, "nobody erases"
        time.sleep(0.002)


@pytest.mark.parametrize("engine", VICTIMS)
def test_an_erasure_that_is_killed_goes_on_to_its_end(tmp_path, engine, request):
    rng = random.Random(SEED)
    installation = Installation(tmp_path, engine, *FLAGS)
    request.addfinalizer(installation.discard)
    world = World(installation.channel, SEED)
    ada, bob = live(world, tmp_path / "spool")
    if installation.postgres is not None:
        # As autovacuum does when a table has changed much: it keeps values of columns.
        installation.postgres.run("ANALYZE", database="test1")
        installation.postgres.run("CHECKPOINT")
    assert found(installation, tmp_path) == CLEAR
    installation.kill(world, "server", (*FORTNIGHT, *NOT_YET[engine]))
    killed_amid = 0
    while killed_amid < KILLS and freeze_amid(installation):
        if killed_amid > 0:
            # Only the first time is it certain to be amid; from then on it may get on.
            installation.server.process.send_signal(signal.SIGCONT)
            time.sleep(rng.uniform(0, 0.01))
        installation.kill(world, "server", (MINUTE, *(() if killed_amid else (*LET_GO[engine], AGAIN))))
        killed_amid += 1
    assert killed_amid > 0, "it was over before it could be killed"
    print(f"{engine}: killed {killed_amid} times amid the erasure")
    await_that(lambda: is_so(installation, ERASED), "it does not come to its end")
    with pytest.raises(Refused, match="NOT_FOUND"):
        world.ask(bob, f"{PROFILES}/GetProfile", user_id=ada.user_id)
    installation.kill(world, "server", (MINUTE, DAY))
    leftovers = "SELECT COUNT(*) FROM octet_timers WHERE kind = 'identity.erase'"
    await_that(lambda: not is_so(installation, leftovers), "the job does not end")
    await_that(lambda: not is_so(installation, "SELECT COUNT(*) FROM octet_blobs"), "contents are kept")
    ops = Uploader(world.channel, "demo_ops", DEMO_PASSWORD, register=False)
    world.ask(ops, f"{AUDIT}/VerifyChain")
    broken = [report for report in world.ask(ops, f"{AUDIT}/CheckInvariants").invariants if report.violations]
    assert broken == []
    assert len(world.ask(ops, f"{AUDIT}/ListRecords", filter={"action": "account.erased"}).records) == 1
    installation.channel.close()
    assert installation.server.stop() == 0

    def is_gone():
        rewrite(installation, tmp_path)
        return found(installation, tmp_path) == []

    # Once more while autovacuum is at work: what a transaction that is under way might still see is written anew as well.
    await_that(is_gone, "something is left")
    if installation.postgres is not None:
        installation.postgres.stop()
