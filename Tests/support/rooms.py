"""A chat stream as a foreign client has it, whichever method carries it."""

import queue

from . import stubs
from .people import method_descriptor, request_id

CHAT = "octet.chat.v1.ChatService/Chat"
STREAM_SECONDS = 600


class RoomStream:
    """Frames go out from a queue, and come in one after the other. `where` says which room, as the method does."""

    def __init__(self, person, path=CHAT, resume_token="", **where):
        self.where, self.outgoing, self.token = where, queue.Queue(), ""
        self.request = stubs.message_class(method_descriptor(path).input_type.full_name)
        self.send(join={"resume_token": resume_token})
        self.rows = person.stream(path, iter(self.outgoing.get, None), timeout=STREAM_SECONDS)
        self.joined = self.next("joined")

    def send(self, **frame):
        self.outgoing.put(self.request(frame=frame, **self.where))

    def next(self, *kinds):
        """The next frame of one of these kinds, past all others."""
        for row in self.rows:
            kind = row.frame.WhichOneof("frame")
            if kind in kinds:
                self.token = row.frame.resume_token or self.token
                return getattr(row.frame, kind)
        raise AssertionError(f"the stream ended before {kinds}")

    def do(self, deed, **fields):
        """Sends such a frame, and returns the answer: PostAccepted or PostRefused."""
        self.send(**{deed: {"request_id": request_id(), **fields}})
        return self.next("post_accepted", "post_refused")

    def say(self, text):
        return self.do("post", text=text)

    def cut(self):
        self.rows.cancel()
        self.outgoing.put(None)

    def close(self):
        self.outgoing.put(None)
        for _ in self.rows:
            pass
