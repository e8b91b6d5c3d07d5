"""A line between a client and a server on which the server's words can be lost."""

import socket
import threading

from .connections import address_of


class LossyLine:
    """Carries one connection. A context manager: its end cuts the line."""

    def __init__(self, target):
        self._target = address_of(target)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._door.getsockname())
        self._ends = []
        self._loses = threading.Event()
        self._lost = bytearray()
        self._has_lost = threading.Condition()
        threading.Thread(target=self._carry, daemon=True).start()

    def lose(self):
        """From now on nothing that the server says arrives."""
        self._loses.set()

    def await_lost(self, word, seconds):
        """Waits until the server has said these bytes in vain."""
        with self._has_lost:
            assert self._has_lost.wait_for(lambda: word in self._lost, seconds), "the server has not answered"

    def cut(self):
        for end in [self._door, *self._ends]:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It is down already.
            end.close()

    def _carry(self):
        try:
            near, _ = self._door.accept()
        except OSError:
            return  # Cut before anybody came.
        far = socket.create_connection(self._target)
        self._ends = [near, far]
        threading.Thread(target=self._pass, args=(near, far.sendall), daemon=True).start()
        self._pass(far, lambda piece: self._lose(piece) if self._loses.is_set() else near.sendall(piece))

    def _lose(self, piece):
        with self._has_lost:
            self._lost += piece
            self._has_lost.notify_all()

    @staticmethod
    def _pass(source, take):
        try:
            while piece := source.recv(65536):
                take(piece)
        except OSError:
            pass  # The line is cut.

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.cut()
