"""Those who attack a server, at the same time."""

import contextlib
import select
import socket
import threading
import time

from attacks import GREETING
from support.connections import address_of

ATTACKERS = 3
ATTACK_SECONDS = 0.5
# How much longer one goes on that the server is to hang up on.
PATIENCE_SECONDS = 120
# For a connection that is made, and for a server that takes nothing in.
STUCK_SECONDS = 2
PAUSE_SECONDS = 0.02


class Attacker(threading.Thread):
    """Attacks over one connection after the other until the time is over, and it has lost one if it is to lose any."""

    def __init__(self, address, attack, until, is_ended, greeting=GREETING):
        super().__init__(daemon=True)
        self.address, self.attack, self.until, self.greeting = address, attack, until, greeting
        self.is_ended = is_ended
        self.connections = 0
        self.hang_ups = 0

    def is_over(self):
        patience = PATIENCE_SECONDS if self.is_ended and self.hang_ups == 0 else 0
        return time.monotonic() > self.until + patience

    def run(self):
        while not self.is_over():
            try:
                connection = socket.create_connection(self.address, timeout=STUCK_SECONDS)
            except OSError:
                time.sleep(PAUSE_SECONDS)
                continue
            self.connections += 1
            with connection:
                try:
                    self.use(connection)
                except TimeoutError:
                    continue
                except OSError:
                    self.hang_ups += 1

    def end(self):
        self.until, self.is_ended = 0, False

    def use(self, connection):
        connection.sendall(self.greeting)
        for chunk in self.attack():
            if self.is_over():
                return
            if chunk is not None:
                connection.sendall(chunk)
            # Answers are read when they are there, as long as there are any.
            while select.select([connection], [], [], PAUSE_SECONDS if chunk is None else 0)[0]:
                if not connection.recv(1 << 16):
                    self.hang_ups += 1
                    return
                if self.is_over():
                    return
        # All is said: until the server ends it.
        while not self.is_over():
            if select.select([connection], [], [], PAUSE_SECONDS)[0] and not connection.recv(1 << 16):
                self.hang_ups += 1
                return


@contextlib.contextmanager
def under_attack(watched, attack, is_ended=False, greeting=GREETING, seconds=ATTACK_SECONDS, count=ATTACKERS):
    """The attackers, at work for so long, and not beyond the block."""
    until = time.monotonic() + seconds
    address = address_of(watched.server.address)
    attackers = [Attacker(address, attack, until, is_ended, greeting) for _ in range(count)]
    for attacker in attackers:
        attacker.start()
    try:
        yield attackers
    finally:
        for attacker in attackers:
            attacker.end()
        for attacker in attackers:
            attacker.join()
