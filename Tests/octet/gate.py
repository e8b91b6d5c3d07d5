"""A way to a server that stops in the middle: so many octets pass, then nothing until it is opened."""

import contextlib
import socket
import threading


class Gate:
    """A context manager. `address` is where clients go; `target` may change between connections."""

    def __init__(self, target):
        self.target = target
        self._left, self._downwards = None, False
        # How often it was to close: connections that are older than the last time are not counted.
        self._closings = 0
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._closed = threading.Event()
        self._ends = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close_after(self, octets, downwards=False):
        """Lets so many octets of new connections through to the server, or from it; the other way stays open."""
        with self._lock:
            self._left, self._downwards = octets, downwards
            self._closings += 1
            self._closed.clear()

    def wait_until_closed(self, seconds):
        assert self._closed.wait(seconds), "less came than the gate lets through"

    def open(self):
        with self._lock:
            self._left = None
        self._open.set()

    def cut(self):
        """Ends the connections, and opens for new ones. What was on its way is gone."""
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.open()

    def _accept(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                host, port = self.target.rsplit(":", 1)
                try:
                    server = socket.create_connection((host, int(port)))
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._ends += [client, server]
                    closings = self._closings
                for source, sink, downwards in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pump, args=(source, sink, downwards, closings), daemon=True).start()

    def _pump(self, source, sink, downwards, closings):
        with contextlib.suppress(OSError):
            while piece := source.recv(16384):
                with self._lock:
                    is_counted = self._left is not None and (downwards, closings) == (self._downwards, self._closings)
                    if is_counted:
                        self._left -= len(piece)
                        if self._left <= 0:
                            self._open.clear()
                            self._closed.set()
                if is_counted:
                    self._open.wait()
                sink.sendall(piece)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open()
        self._listener.close()
