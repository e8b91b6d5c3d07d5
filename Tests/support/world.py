"""The way to a server that may die at any moment: each call is repeated, as clients do it, until it is answered, and what
was acknowledged is kept, to be asked for again.
"""

import collections
import functools
import queue
import random
import threading
import time

import grpc

from . import stubs
from .people import method_descriptor, reason_of, request_id

# What a client sees of a server that is killed, is not there yet, or has lost its database.
BROKEN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
PATIENCE_SECONDS = 300
CALL_SECONDS = 20


class Refused(Exception):
    """The server has answered that it will not."""

    def __init__(self, error):
        super().__init__(f"{error.code()} {reason_of(error)}: {error.details()}")
        self.reason = reason_of(error)


class Unsaid(Exception):
    """A room does not take a post."""

    def __init__(self, reason):
        super().__init__(f"a post was refused: {reason}")
        self.reason = reason


Acknowledged = collections.namedtuple("Acknowledged", "person path request reply")


class World:
    """What the people share: the way to the server, and the list of what it has acknowledged."""

    def __init__(self, channel, seed):
        self.channel = channel
        self.rng = random.Random(seed)
        self.is_over = threading.Event()
        self.lock = threading.Lock()
        self.acknowledged = []
        self.said = []
        self.failures = []

    def note(self, entry):
        with self.lock:
            self.acknowledged.append(entry)

    @property
    def count(self):
        with self.lock:
            return len(self.acknowledged) + len(self.said)

    def fail(self, what):
        with self.lock:
            self.failures.append(what)
        self.is_over.set()

    def insist(self, person, body):
        """Runs `body` until the server answers; returns what it returns, or throws `Refused`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            person.channel = self.channel
            try:
                return body()
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.UNAUTHENTICATED:
                    self.log_in(person)
                elif error.code() not in BROKEN:
                    raise Refused(error) from error
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)  # As a client's backoff.
            except ValueError:
                time.sleep(0.02)  # The channel was closed meanwhile; there is another.

    def log_in(self, person):
        sessions = stubs.module("octet.identity.v1.session_service_pb2")
        request = sessions.LoginRequest(request_id=request_id(), login_name=person.handle, password=person.password)
        person.token = None
        path = "octet.identity.v1.SessionService/Login"
        reply = self.insist(person, lambda: person.call(path, request, timeout=CALL_SECONDS))
        person.token = reply.tokens.access_token
        person.logins = getattr(person, "logins", 1) + 1

    def call(self, person, path, request):
        """A unary call that changes something, under one request_id however often it is sent."""
        reply = self.insist(person, lambda: person.call(path, request, timeout=CALL_SECONDS))
        self.note(Acknowledged(person, path, request, reply))
        return reply

    def wait_for(self, count, seconds):
        """Until so many writes are acknowledged, or so much time is over."""
        deadline = time.monotonic() + seconds
        while self.count < count and not self.failures and time.monotonic() < deadline:
            time.sleep(0.005)
        assert not self.failures, self.failures

    def ask(self, person, path, **fields):
        """A unary call; one that changes something gets a request_id. The proof of who calls is renewed when it is asked
        for."""
        request = stubs.message_class(method_descriptor(path).input_type.full_name)(**fields)
        if "request_id" not in request.DESCRIPTOR.fields_by_name:
            return self.insist(person, lambda: person.call(path, request, timeout=CALL_SECONDS))
        request.request_id = request_id()
        try:
            return self.call(person, path, request)
        except Refused as refusal:
            if refusal.reason != "STEP_UP_REQUIRED":
                raise
            self.ask(person, "octet.identity.v1.SessionService/StepUp", password=person.password)
            return self.call(person, path, request)

    def post(self, person, path, text, **room):
        """Posts to a room until it is stored; returns its number there. Throws `Unsaid` if it is refused."""
        return self.do_in_room(person, path, "post", {"text": text}, **room)

    def joined(self, person, path, **room):
        """What a newcomer to a room is told first."""
        request = stubs.message_class(method_descriptor(path).input_type.full_name)(frame={"join": {}}, **room)
        return self.insist(person, lambda: next(person.stream(path, iter([request]), timeout=CALL_SECONDS)).frame.joined)

    def do_in_room(self, person, path, deed, fields, **room):
        """Sends a frame of this kind to a room until it is stored; returns the number in the answer. Throws `Unsaid` if it is
        refused."""
        request = stubs.message_class(method_descriptor(path).input_type.full_name)
        wanted = {deed: {"request_id": request_id(), **fields}}

        def once():
            rows = queue.Queue()
            for frame in ({"join": {}}, wanted):
                rows.put(request(frame=frame, **room))
            call = person.stream(path, iter(rows.get, None), timeout=CALL_SECONDS)
            try:
                for row in call:
                    answer = row.frame
                    if answer.HasField("post_refused"):
                        if answer.post_refused.reason == "OVERLOADED":
                            return None  # For now: as UNAVAILABLE is for a call.
                        raise Unsaid(answer.post_refused.reason)
                    if answer.HasField("post_accepted"):
                        return answer.post_accepted.number
                return None
            finally:
                rows.put(None)
                call.cancel()

        number = None
        while number is None:
            number = self.insist(person, once)
        return number


def check_replays(world, entries):
    """Each call that was acknowledged is sent again, and must get the reply that was given."""
    for entry in entries:
        replay = functools.partial(entry.person.call, entry.path, entry.request, timeout=CALL_SECONDS)
        again = world.insist(entry.person, replay)
        assert again == entry.reply, f"a replay of {entry.path} must give the same reply"
