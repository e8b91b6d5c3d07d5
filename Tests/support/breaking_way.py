"""A way to a server on which connections break at random points, in the middle of a message or between two."""

import contextlib
import itertools
import random
import threading

from .way import Way

# For how long a connection is held up, or mute before it is cut, at most.
PAUSE_SECONDS = 1.5


class BreakingWay(Way):
    """Within `breaks` a connection is cut, held up or made mute after a random number of bytes; else all passes."""

    harms = ("cut", "hold up", "mute")

    def __init__(self, port, seed):
        super().__init__(("127.0.0.1", port))
        self.random = random.Random(seed)
        self.is_over = threading.Event()
        self.longest_life = None
        self._numbers = itertools.count()
        self.done = 0

    @contextlib.contextmanager
    def breaks(self, longest_life):
        """Connections, also those that are open, live for at most so many bytes more, till the end of the block."""
        self.longest_life = longest_life
        try:
            yield
        finally:
            self.longest_life = None

    def next_harm(self):
        """In turn, so that there is some of each."""
        self.done = next(self._numbers) + 1
        return self.harms[self.done % len(self.harms)]

    def pause(self):
        self.is_over.wait(self.random.uniform(0, PAUSE_SECONDS))

    def directions(self):
        life = Life(self)
        return life.carry, life.carry

    def __exit__(self, *details):
        self.is_over.set()
        super().__exit__(*details)


class Life:
    """Of one connection, which both directions use up."""

    def __init__(self, way):
        self._way = way
        self._lock = threading.Lock()
        self._is_mute = False
        self._begin()

    def _begin(self):
        # A share, so that a connection that was opened in peace can be harmed as well.
        self._share, self._passed = self._way.random.random(), 0

    def _take(self, piece):
        """What of a piece passes, and whether the connection is harmed behind it."""
        with self._lock:
            longest = self._way.longest_life
            left = len(piece) if longest is None else max(0, int(longest * self._share) - self._passed)
            self._passed += min(left, len(piece))
            ends = left < len(piece)
            harm = self._way.next_harm() if ends and not self._is_mute else None
            if harm == "hold up":
                self._begin()
            self._is_mute = self._is_mute or harm == "mute"
            return piece[:left], harm

    def carry(self, source, target):
        while piece := source.recv(4096):
            if self._is_mute:
                continue
            passes, harm = self._take(piece)
            target.sendall(passes)
            if harm == "cut":
                return
            if harm is not None:
                self._way.pause()
            if harm == "mute":
                return
            target.sendall(piece[len(passes) :])
