"""Very many connections at once."""

import subprocess
import sys

import pytest
from support.connections import SETTINGS, address_of, frame, open_at_once, raise_open_files
from support.server import Server

CONNECTIONS = 10_000
SECONDS = 2
ATTEMPTS = 5
# What a server does at least: accepts and greets, and nothing else. Says at which port.
BARE = f"""
import socket
listener = socket.create_server(("127.0.0.1", 0), backlog={CONNECTIONS})
print(listener.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(listener.accept()[0])
    kept[-1].sendall({frame(SETTINGS, 0, 0)})
"""
# Where a bare server is slow as well, how many times as long octet-interop may take.
SHARE = 3


def seconds_to_open(address):
    sockets, elapsed = open_at_once(address, CONNECTIONS)
    for connection in sockets:
        connection.close()
    return elapsed


def seconds_of_a_bare_server():
    with subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE, text=True) as process:
        try:
            return seconds_to_open(("127.0.0.1", int(process.stdout.readline())))
        finally:
            process.kill()


@pytest.mark.alone
def test_ten_thousand_connections_are_accepted_at_once(tmp_path):
    """The best of some attempts: the client shares its cores with the server and with whatever runs beside."""
    raise_open_files(CONNECTIONS)
    with Server(tmp_path, program="octet-interop") as server:
        best = best_bare = float("inf")
        for _ in range(ATTEMPTS):
            best = min(best, seconds_to_open(address_of(server.address)))
            if best < SECONDS:
                break
            best_bare = min(best_bare, seconds_of_a_bare_server())
        assert best < SECONDS or best < SHARE * best_bare
