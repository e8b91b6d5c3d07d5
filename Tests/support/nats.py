"""A NATS server that the tests have for themselves, gone when they are; and a way to it on which messages get lost."""

import contextlib
import os
import random
import subprocess

from .connections import address_of
from .paths import ROOT
from .way import Way


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


class LossyWay(Way):
    """Stands before a NATS server and loses a share of what is published; all else passes."""

    def __init__(self, url, share, seed=None):
        super().__init__(address_of(url.removeprefix("nats://")))
        self.share = share
        self.seed = random.randrange(2**32) if seed is None else seed
        self._random = random.Random(self.seed)
        self.lost = self.passed = 0
        self.url = f"nats://127.0.0.1:{self.port}"

    def __exit__(self, kind, *details):
        if kind is not None:
            print(f"the way lost {self.lost} of {self.lost + self.passed} messages, seed {self.seed}")
        super().__exit__(kind, *details)

    def directions(self):
        return self._publish, self.pass_on

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
