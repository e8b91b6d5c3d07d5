"""People of a storm who upload, talk, tell and keep settings."""

import hashlib
import itertools
import time

from .media import Stream, Uploader, blobs
from .notices import inbox
from .pictures import png
from .stage import ADMIN, CHAT, JOBS, MEDIA, NOTIFY, SEARCH, SOCIAL, VERIFICATION, Actor
from .world import Refused

BlobState = blobs.BlobState
HOUR = 3600
UPLOADS_A_DAY = 50


class Sender(Actor):
    """Uploads, deletes, and hands documents in."""

    def __init__(self, stage, person, shared):
        super().__init__(stage, person)
        self.shared, self.uploads, self.verification = shared, 0, None
        # By whose they are.
        self.blobs, self.gone = {}, set()
        # Those of them of which something is made.
        self.pictures = set()

    def change(self):
        """Goes on as somebody else: uploads are counted by the day."""
        numbers = itertools.count()
        name = self.person.user_id[-8:].lower()
        self.person = self.stage.insist(
            self.person, lambda: Uploader(self.stage.channel, f"sender_{name}_{next(numbers)}"))  # fmt: skip
        self.uploads, self.verification = 0, None

    def send(self, content, kind="BLOB_KIND_FILE"):
        if self.uploads == UPLOADS_A_DAY:
            self.change()
        self.uploads += 1
        digest = hashlib.sha256(content).digest()
        upload = self.ask(f"{MEDIA}/CreateUpload", kind=kind, length=len(content), sha256=digest)
        piece, acknowledged = self.rng.randrange(5_000, 40_000), 0

        def once():
            nonlocal acknowledged
            stream = Stream(self.person, upload.id, timeout=30)
            try:
                if stream.complete is not None:
                    return stream.complete
                assert stream.offset >= acknowledged, "what was acknowledged is gone"
                while stream.offset < len(content):
                    stream.send(content[stream.offset : stream.offset + piece])
                    done = stream.wait(stream.offset)
                    if done is not None:
                        return done
                    acknowledged = stream.offset
                return stream.wait()
            finally:
                stream.cut()

        return self.stage.insist(self.person, once)

    def do_upload(self):
        mine = self.rng.random() < 0.6
        content = self.rng.randbytes(self.rng.randrange(1, 80_000)) if mine else self.rng.choice(self.shared)
        blob = self.send(content).blob_id
        self.blobs[self.person, blob] = content
        self.gone.discard((self.person, blob))

    def do_upload_a_picture(self):
        content = png(self.rng)
        blob = self.send(content, "BLOB_KIND_IMAGE").blob_id
        self.blobs[self.person, blob] = content
        self.pictures.add(blob)

    def do_delete(self):
        if len(self.blobs) > 2:
            share = self.rng.choice(list(self.blobs))
            del self.blobs[share]
            self.gone.add(share)
            self.stage.ask(share[0], f"{MEDIA}/DeleteBlob", blob_id=share[1])

    def do_hand_in(self):
        upload = self.send(self.rng.randbytes(2_000))
        document = {"kind": "VERIFICATION_DOCUMENT_KIND_PASSPORT", "upload_id": upload.id}
        handed_in = self.ask(f"{VERIFICATION}/SubmitVerification", documents=[document])
        self.verification = self.stage.ask(
            self.stage.ops, f"{VERIFICATION}/ReviewVerification", verification_id=handed_in.id,
            decision="VERIFICATION_STATE_REJECTED", reason="unreadable")  # fmt: skip

    def verify(self):
        for (person, blob), content in self.blobs.items():
            assert self.stage.insist(person, lambda person=person, blob=blob: person.read(blob)) == content
        for person, blob in self.blobs:
            if blob not in self.pictures:
                continue

            def is_made(person=person, blob=blob):
                found = self.stage.ask(person, f"{MEDIA}/GetBlob", blob_id=blob)
                assert found.failure == "", f"{blob} is {found.failure}"
                return BlobState.Name(found.state) == "BLOB_STATE_READY"

            self.stage.await_that(is_made, f"{blob} is not made fit for showing")
            made = self.stage.ask(person, f"{MEDIA}/ListRenditions", blob_id=blob).renditions
            assert made and all(one.is_ready for one in made)
        for person, blob in self.gone:
            try:
                self.stage.insist(person, lambda person=person, blob=blob: person.read(blob))
            except Refused as refusal:
                assert refusal.reason == "NOT_FOUND", f"{blob} was deleted: {refusal}"
            else:
                raise AssertionError(f"{blob} was deleted and can be read")
        if self.verification is not None:
            there = self.ask(f"{VERIFICATION}/GetVerification", user_id=self.person.user_id)
            assert (there.id, there.state) == (self.verification.id, self.verification.state)


class Talker(Actor):
    """A user with a question, and the operator who answers."""

    def __init__(self, stage, person, agent):
        super().__init__(stage, person)
        self.agent, self.said = agent, {}
        self.room = self.ask(f"{CHAT}/OpenRoom", kind="ROOM_KIND_SUPPORT")

    def post(self, person):
        text = self.word()
        number = self.stage.post(person, f"{CHAT}/Chat", text, room_id=self.room.id)
        assert number not in self.said, "two posts with one number"
        self.said[number] = (person.user_id, text)
        with self.stage.lock:
            self.stage.said.append(text)

    def do_ask(self):
        self.post(self.person)

    def do_answer(self):
        self.stage.ask(self.agent, f"{CHAT}/TakeRoom", room_id=self.room.id)
        self.post(self.agent)

    def do_read(self):
        if self.said:
            self.ask(f"{CHAT}/MarkRoomRead", room_id=self.room.id, number=self.rng.choice(sorted(self.said)))

    def verify(self):
        messages = self.stage.all_of(self.person, f"{CHAT}/ListMessages", "messages", room_id=self.room.id)
        assert [message.number for message in messages] == list(range(len(self.said), 0, -1))
        assert {message.number: (message.author_id, message.text) for message in messages} == self.said


class Herald(Actor):
    """Tells members what is new; each is to have it in the inbox once, and one letter of it."""

    def __init__(self, stage, person, members):
        super().__init__(stage, person)
        self.members, self.told, self.devices = members, {}, {}
        for member in members:
            address = f"https://push.example/{member.person.handle}"
            device = stage.ask(member.person, f"{NOTIFY}/RegisterPush", address=address)
            self.devices[member.person.user_id] = device.id

    def do_announce(self):
        users = [member.person.user_id for member in self.rng.sample(self.members, self.rng.randrange(1, 4))]
        title = self.word()
        texts = [{"language": "en", "title": title, "text": "new"}]
        self.ask(f"{NOTIFY}/Announce", texts=texts, segment={"users": {"user_ids": users}})
        self.told[title] = set(users)

    def verify(self):
        for member in self.members:
            wanted = sorted(title for title, users in self.told.items() if member.person.user_id in users)

            def titles(member=member):
                notices = self.stage.insist(member.person, lambda: inbox(member.person))
                return sorted(notice.title for notice in notices if notice.kind == "notify.announcement")

            self.stage.await_that(lambda wanted=wanted, titles=titles: len(titles()) >= len(wanted), "not all is told")
            assert titles() == wanted, "told twice, or what nobody announced"

    def letters(self):
        """The names of the files that there must be in the spool when all is sent."""
        for member in self.members:
            for notice in self.stage.insist(member.person, lambda member=member: inbox(member.person)):
                if notice.kind == "notify.announcement":
                    yield f"{notice.id}.push.{self.devices[member.person.user_id]}.json"


class Keeper(Actor):
    """Staff with settings: a flag, dated rows, the index; and moderation."""

    FLAG = f"{ADMIN}/EstimateCapacity"
    TABLE = "admin.node_rates"

    def __init__(self, stage, person):
        super().__init__(stage, person)
        self.flag, self.rows = None, {}
        self.hours = itertools.count(int(time.time()) // HOUR + 1000)

    def do_put_flag(self):
        etag = self.flag.etag if self.flag else ""
        self.flag = self.ask(f"{ADMIN}/PutFlag", name=self.FLAG, etag=etag, value={"boolean": self.rng.random() < 0.5})

    def do_put_row(self):
        hour = next(self.hours)
        row = self.ask(
            f"{ADMIN}/PutTableRow", table=self.TABLE, key="writes", from_time={"seconds": hour * HOUR},
            to_time={"seconds": (hour + 1) * HOUR},
            values={"per_second": {"integer": self.rng.randrange(1, 9_000)}})  # fmt: skip
        self.rows[row.id] = row

    def do_look_at_jobs(self):
        self.ask(f"{JOBS}/ListJobs", page_size=10)

    def do_make_the_index_anew(self):
        if self.rng.random() < 0.2:
            try:
                self.ask(f"{SEARCH}/Reindex")
            except Refused as refusal:
                assert refusal.reason == "WRONG_STATE", refusal

    def do_decide(self):
        queue = self.stage.ask(self.stage.admin, f"{SOCIAL}.ModerationService/ListQueue", page_size=1).reports
        if queue:
            self.stage.decide(queue[0].id, verdict="VERDICT_REJECT")

    def verify(self):
        if self.flag is not None:
            (flag,) = self.ask(f"{ADMIN}/ListFlags", prefix=self.FLAG).flags
            assert flag == self.flag
        rows = self.stage.all_of(self.person, f"{ADMIN}/ListTableRows", "rows", table=self.TABLE, key="writes")
        assert sorted(row.id for row in rows) == sorted(self.rows)
        assert all(row == self.rows[row.id] for row in rows)
        dead = self.stage.all_of(self.person, f"{JOBS}/ListJobs", "jobs", dead=True)
        assert dead == [], "jobs that nobody could do"
