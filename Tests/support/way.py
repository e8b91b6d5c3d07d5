"""A way to a server by which a test can do harm to connections."""

import contextlib
import socket
import threading


class Way:
    """Carries connections to an address. A context manager: they end with it."""

    def __init__(self, address):
        self._target = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = []
        self.port = self._listener.getsockname()[1]

    def directions(self):
        """For a new connection: what passes on what the client says, and what passes on what the server says."""
        return self.pass_on, self.pass_on

    @staticmethod
    def pass_on(source, target):
        while piece := source.recv(65536):
            target.sendall(piece)

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for each in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self._target)
                except OSError:
                    near.close()
                    continue
                self._sockets += [near, far]
                for carry, *ends in zip(self.directions(), (near, far), (far, near)):
                    threading.Thread(target=self._until_end, args=(carry, *ends), daemon=True).start()

    @staticmethod
    def _until_end(carry, source, target):
        with contextlib.suppress(OSError):
            carry(source, target)
        # The end of one direction is that of the connection.
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
