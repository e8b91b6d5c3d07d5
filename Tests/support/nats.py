"""A NATS server that the tests have for themselves, gone when they are; and a way to it on which messages get lost."""

import contextlib
import os
import random
import socket
import subprocess
import threading

from .paths import ROOT


@contextlib.contextmanager
def nats(folder, port=-1, *flags):
    """Gives the server's URL; `folder` is for its notes, and the port one that the kernel chooses if none is given."""
    guardian = ROOT / "Tests/support/nats-server"
    command = [guardian, str(os.getpid()), "-a", "127.0.0.1", "-p", str(port), "--ports_file_dir", folder]
    command += flags
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) as process:
        line = next(line for line in process.stdout if "Listening for client connections on" in line)
        try:
            yield "nats://" + line.split()[-1]
        finally:
            process.terminate()


class LossyWay:
    """Stands before a NATS server and loses a share of what is published; all else passes. A context manager."""

    def __init__(self, url, share, seed=None):
        host, port = url.removeprefix("nats://").split(":")
        self._server = (host, int(port))
        self.share = share
        self.seed = random.randrange(2**32) if seed is None else seed
        self._random = random.Random(self.seed)
        self.lost = self.passed = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = []
        self.url = f"nats://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f"the way lost {self.lost} of {self.lost + self.passed} messages, seed {self.seed}")
        for each in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self._server)
                except OSError:
                    near.close()
                    continue
                self._sockets += [near, far]
                for pump, source, target in ((self._publish, near, far), (self._pass, far, near)):
                    threading.Thread(target=self._until_end, args=(pump, source, target), daemon=True).start()

    @staticmethod
    def _until_end(pump, source, target):
        with contextlib.suppress(OSError):
            pump(source, target)
        # The end of one direction is that of the connection.
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _pass(source, target):
        while piece := source.recv(65536):
            target.sendall(piece)

    def _publish(self, source, target):
        """From the client: lines, of which those that publish are followed by so many bytes as their last word says."""
        with source.makefile("rb") as lines:
            while line := lines.readline():
                if line.split(b" ", 1)[0].upper() in (b"PUB", b"HPUB"):
                    line += lines.read(int(line.split()[-1]) + len(b"\r\n"))
                    # The first is lost whatever the share, so that something is.
                    if self.lost == 0 or self._random.random() < self.share:
                        self.lost += 1
                        continue
                    self.passed += 1
                target.sendall(line)
