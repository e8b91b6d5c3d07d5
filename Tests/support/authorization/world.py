"""Things of every kind, most of them private, with words in them that nobody else may ever be told."""

import datetime
import hashlib
import itertools
import random
import time

from .. import stubs
from ..media import blobs
from ..notices import await_that
from ..people import PASSWORD, method_descriptor, outcome, request_id
from ..pictures import png
from ..rides import STATION, Conversation
from .answers import make_request
from .board_things import BoardThings
from .callers import MODERATORS, SEES_HIDDEN, Callers, grant
from .requests import Requests

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
PRIVATE_WORD = "zqx"
RIDE_STAFF = {"ops", "support", "rides.ops", "rides.support", "machine"}
PATIENCE_SECONDS = 300
# A ride is taken from a driver who is silent for five minutes.
BEAT_SECONDS = 60

frames = stubs.module("octet.chat.v1.frames_pb2")
dates = stubs.module("octet.type.v1.types_pb2")


def absent(identifier):
    """The id of a thing that is not there, made as at the same time on the same node."""
    kind, text = identifier.rsplit("_", 1)
    value = 0
    for character in text:
        value = value << 5 | ALPHABET.index(character)
    value ^= 0xA5C  # The lowest bits number the ids of a millisecond, from 0 on.
    return f"{kind}_" + "".join(ALPHABET[value >> shift & 31] for shift in range(60, -1, -5))


class World(Requests, BoardThings):
    """Callers and things on one server. A thing is made when it is first asked for; `fresh` makes another one.

    `secrets` has the words and ids that only some may be told: by each, the names of those callers.
    """

    def __init__(self, channel):
        self.channel = channel
        self.callers = Callers(channel)
        self.secrets = {}
        self._things = {}
        self._numbers = itertools.count(1)
        self.ride_session = None
        self.ride = None
        self._heard_at = 0.0
        self._prepare_people()

    def beat(self):
        """Keeps alive what ends by itself, however long the tests take: everybody's login, and the driver's ride. To be
        called between two things that are tried."""
        self.callers.renew()
        if self.ride is not None and time.monotonic() - self._heard_at > BEAT_SECONDS:
            self.drive_to_pickup()

    # Words and ids

    def word(self, thing, *knowers):
        """An unmistakable word for the texts of a thing."""
        word = f"{PRIVATE_WORD}{thing}{next(self._numbers):03}"
        self.secrets[word] = set(knowers)
        return word

    def beginning(self):
        """What all words begin with."""
        return PRIVATE_WORD

    def keep(self, identifier, *knowers):
        """An id that only these, and staff, may be told."""
        self.secrets[identifier] = {*knowers, *self.callers.roles}
        return identifier

    def thing(self, name):
        if name not in self._things:
            self._things[name] = self.fresh(name)
        return self._things[name]

    def fresh(self, name):
        return getattr(self, "make_" + name)()

    def missing(self, name):
        """What is not there, for comparison."""
        if name == "share_token":
            if "revoked_token" not in self._things:
                self._things["revoked_token"] = self._revoked_token()
            return self._things["revoked_token"]
        return absent(self.thing(name))

    def call(self, caller, path, /, **fields):
        return self.callers[caller].call(path, make_request(path, fields))

    @staticmethod
    def reply(path, answer):
        """The first message of an answer."""
        output = method_descriptor(path).output_type.full_name
        return stubs.message_class(output).FromString(answer.replies[0])

    # People

    def _prepare_people(self):
        identity = "octet.identity.v1"
        owner, hidden = self.callers["owner"], self.callers["hidden"]
        wishes = self.word("wishes", "owner")
        self.call("owner", f"{identity}.ProfileService/SetPreferences", preferences={"travel_wishes": wishes})
        private = {"profile_visibility": "PROFILE_VISIBILITY_PRIVATE"}
        self.call("hidden", f"{identity}.ProfileService/SetPreferences", preferences=private)
        profile = self.call("hidden", f"{identity}.ProfileService/GetProfile")
        about = self.word("profile", "hidden", *SEES_HIDDEN)
        self.call("hidden", f"{identity}.ProfileService/UpdateProfile", etag=profile.etag, about=about)
        self.call("owner", "octet.social.v1.FollowService/Block", user_id=self.callers["blocked"].user_id)
        register = "octet.rides.v1.DriverService/RegisterDriver"
        self.call("spare", register, city_id=self.city(), display_name="Spare")
        self._things["hidden_user"] = hidden.user_id
        self._things["public_user"] = owner.user_id
        self._things["blocker_user"] = self.callers["blocked"].user_id

    def make_disposable_user(self):
        request = {"handle": f"m_{request_id()[:8]}", "password": PASSWORD}
        return self.call("nobody", "octet.identity.v1.AccountService/Register", **request).id

    def make_suspended_user(self):
        user = self.make_disposable_user()
        self.call("support", "octet.identity.v1.AccountService/SuspendAccount", user_id=user)
        return user

    def profile_etag(self):
        return self.call("spare", "octet.identity.v1.ProfileService/GetProfile").etag

    def refresh_token(self):
        return self.callers["spare"].login.tokens.refresh_token

    def make_session(self):
        device = {"name": self.word("device", "owner")}
        request = {"login_name": "m_owner", "password": PASSWORD, "device": device}
        reply = self.call("nobody", "octet.identity.v1.SessionService/Login", **request)
        return self.keep(reply.session.id, "owner")

    def address(self):
        return {"recipient": self.word("address", "owner"), "lines": ["1 Long Lane"], "locality": "Town",
                "region_code": "FI"}  # fmt: skip

    def make_address(self):
        path = "octet.identity.v1.ProfileService/PutAddress"
        return self.keep(self.call("owner", path, address=self.address()).id, "owner")

    def make_grant(self):
        return grant(self.callers.admin, self.make_disposable_user(), "notify.ops").id

    def credential(self):
        key = hashlib.sha256(str(next(self._numbers)).encode()).digest()
        return {"name": self.word("credential", "admin"), "kind": "CREDENTIAL_KIND_WORKER", "public_key": key,
                "roles": [{"role": "support"}]}  # fmt: skip

    def make_credential(self):
        path = "octet.identity.v1.CredentialService/CreateCredential"
        return self.keep(self.call("admin", path, **self.credential()).id)

    def make_export(self):
        return self.keep(self.call("owner", "octet.identity.v1.AccountService/StartExport").id, "owner")

    def make_complete_upload(self):
        return self._complete_upload("lapsed")[0]

    def verification_document(self, upload):
        return {"kind": "VERIFICATION_DOCUMENT_KIND_PASSPORT", "upload_id": upload}

    def make_verification(self):
        path = "octet.identity.v1.VerificationService/SubmitVerification"
        document = self.verification_document(self._complete_upload("owner")[0])
        return self.keep(self.call("owner", path, documents=[document]).id, "owner")

    def make_verified_user(self):
        self.thing("verification")
        return self.callers["owner"].user_id

    # Files

    def _complete_upload(self, name):
        word = self.word("content", name, "ops")
        person = self.callers[name]
        upload = person.create(word.encode())
        return self.keep(upload.id, name), self.keep(person.go_on(upload.id, word.encode()).blob_id, name)

    def make_upload(self):
        return self.keep(self.callers["owner"].create(b"something that never comes").id, "owner")

    def make_blob(self):
        return self._complete_upload("owner")[1]

    def _photo(self, name):
        """A picture of a profile."""
        person, picture = self.callers[name], png(random.Random(next(self._numbers)))
        upload = person.create(picture, blobs.BLOB_KIND_IMAGE)
        person.go_on(upload.id, picture)
        profiles = "octet.identity.v1.ProfileService"
        etag = self.call(name, f"{profiles}/GetProfile").etag
        photo = self.call(name, f"{profiles}/UpdateProfile", etag=etag, photo_upload_id=upload.id).photo_id
        assert person.watch(photo).state == blobs.BLOB_STATE_READY
        return photo

    def make_hidden_photo(self):
        return self.keep(self._photo("hidden"), "hidden", *SEES_HIDDEN)

    def make_public_photo(self):
        return self._photo("owner")

    # What people are told, and say

    def make_push(self):
        address = f"https://push.example/{self.word('push', 'owner')}"
        path = "octet.notify.v1.NotificationService/RegisterPush"
        return self.keep(self.call("owner", path, address=address).id, "owner")

    def announce(self):
        """A notice to the owner alone."""
        texts = [{"language": "en", "title": self.word("notice", "owner")}]
        segment = {"users": {"user_ids": [self.callers["owner"].user_id]}}
        self.call("notify.ops", "octet.notify.v1.NotificationService/Announce", segment=segment, texts=texts)
        path = "octet.notify.v1.NotificationService/ListInbox"
        await_that(lambda: any(PRIVATE_WORD in notice.title for notice in self.call("owner", path).notices),
                   "an announcement does not arrive", PATIENCE_SECONDS)  # fmt: skip

    def say(self, name, path, text, **first):
        """Posts a line in a room."""
        stream = Conversation(self.callers[name], path)
        stream.send(make_request(path, {**first, "frame": {"join": {}}}))
        stream.next(lambda row: row.frame.HasField("joined"))
        stream.send(make_request(path, {**first, "frame": {"post": {"request_id": request_id(), "text": text}}}))
        answer = stream.next(lambda row: row.frame.WhichOneof("frame") in ("post_accepted", "post_refused"))
        assert answer.frame.HasField("post_accepted"), answer
        stream.finish()
        stream.cancel()

    def make_room(self):
        path = "octet.chat.v1.ChatService"
        room = self.call("owner", f"{path}/OpenRoom", kind="ROOM_KIND_SUPPORT").id
        self.keep(room, "owner")
        # Moderators read what is reported, and the message is.
        word = self.word("room", "owner", "support", "machine", *MODERATORS)
        self.say("owner", f"{path}/Chat", word, room_id=room)
        return room

    def make_ride_room(self):
        path, ride = "octet.rides.v1.RideService/RideChat", self.thing("ride")
        request = make_request(path, {"ride_id": ride, "frame": {"join": {}}})
        stream = self.callers["owner"].stream(path, iter([request]))
        room = next(stream).frame.joined.room_id
        stream.cancel()
        return self.keep(room, "owner", "driver")

    def make_message(self):
        room = self.thing("room")
        page = self.call("owner", "octet.chat.v1.ChatService/ListMessages", room_id=room)
        return self.keep(page.messages[0].id, "owner")

    def _link(self, name, subject):
        return self.call(name, "octet.social.v1.ShareService/CreateShareLink", subject_id=subject)

    def make_share_link(self):
        return self.keep(self._link("owner", self.callers["driver"].user_id).id, "owner")

    def make_share_token(self):
        return self._link("owner", self.thing("ride")).token

    def _revoked_token(self):
        link = self._link("owner", self.callers["stranger"].user_id)
        self.call("owner", "octet.social.v1.ShareService/RevokeShareLink", link_id=link.id)
        return link.token

    def make_report(self):
        text = self.word("report", *MODERATORS)
        subject = self.callers["driver"].user_id
        path = "octet.social.v1.ModerationService/ReportContent"
        return self.keep(self.call("owner", path, target_id=subject, policy="POLICY_SPAM", text=text).id, "owner")

    # Rides

    def make_quote(self):
        return self.keep(self.callers["lapsed"].quote().id, "lapsed")

    def make_driver(self):
        driver = self.call("driver", "octet.rides.v1.DriverService/GetDriver", driver_id="")
        return self.keep(driver.id, "driver", "owner")

    def make_vehicle(self):
        path = "octet.rides.v1.DriverService/RegisterVehicle"
        word = self.word("vehicle", "spare", *RIDE_STAFF)
        return self.keep(self.call("spare", path, **{**self.vehicle(), "model": word}).id, "spare")

    def document(self):
        year = datetime.date.today().year + 1
        return {"kind": "DOCUMENT_KIND_BACKGROUND_CHECK", "expires_on": dates.Date(year=year, month=1, day=31),
                "blob": self.word("paper", "driver", *RIDE_STAFF)}  # fmt: skip

    def make_document(self):
        path = "octet.rides.v1.DriverService/SubmitDocument"
        return self.keep(self.call("driver", path, **self.document()).id, "driver")

    def make_ride(self):
        """The owner's, which the driver has taken; the driver's session goes on."""
        rider = self.callers["owner"]
        self.begin_session()
        self.drive_to_pickup()
        self.ride = rider.request_ride()
        self.ride_session.take_offer(self.ride.id)
        text = self.word("ride", "owner", "driver", *RIDE_STAFF)
        self.say("owner", "octet.rides.v1.RideService/RideChat", text, ride_id=self.ride.id)
        # The trail of staff calls has its id; no stranger has.
        return self.keep(self.ride.id, "owner", "driver")

    def make_waiting_ride(self):
        """One that nobody has taken. It may be offered to the driver."""
        if self.call("spare", "octet.rides.v1.RideService/ListRides").rides:
            # Nobody has two at once. The last one may have ended by itself.
            outcome(lambda: self.cancel_ride("spare"))
        return self.keep(self.callers["spare"].request_ride().id, "spare", "driver")

    def cancel_ride(self, name):
        path = "octet.rides.v1.RideService"
        self.call(name, f"{path}/CancelRide", ride_id=self.call(name, f"{path}/ListRides").rides[0].id)

    def make_spare_driver(self):
        return self.call("spare", "octet.rides.v1.DriverService/GetDriver", driver_id="").id

    def begin_session(self):
        """A driver's newer session ends the older one."""
        self.close()
        self.ride_session = self.callers["driver"].session()
        self.ride_session.go_online()

    def drive_to_pickup(self):
        try:
            self.ride_session.report(STATION)
        except EOFError:  # The session has ended.
            self.begin_session()
            self.ride_session.report(STATION)
        self._heard_at = time.monotonic()

    def pin(self):
        self.thing("ride")
        return self.call("owner", "octet.rides.v1.RideService/GetRide", ride_id=self.ride.id).pin

    def outstanding(self):
        """What the owner's ride costs; before it has ended anything."""
        ride = self.call("owner", "octet.rides.v1.RideService/GetRide", ride_id=self.thing("ride"))
        return ride.outstanding if ride.HasField("outstanding") else {"currency_code": "EUR", "minor_units": 1}

    def close(self):
        if self.ride_session is not None:
            self.ride_session.finish()
            self.ride_session.cancel()
