"""Very many connections at once."""

import pytest
from support.connections import address_of, open_at_once, raise_open_files
from support.server import Server

CONNECTIONS = 10_000
SECONDS = 2
ATTEMPTS = 3


@pytest.mark.alone
def test_ten_thousand_connections_are_accepted_at_once(tmp_path):
    """The best of some attempts: the client shares its cores with the server and with whatever runs beside."""
    raise_open_files(CONNECTIONS)
    with Server(tmp_path, program="octet-interop") as server:
        best = None
        for _ in range(ATTEMPTS):
            sockets, elapsed = open_at_once(address_of(server.address), CONNECTIONS)
            for connection in sockets:
                connection.close()
            best = elapsed if best is None else min(best, elapsed)
            if best < SECONDS:
                break
        assert best < SECONDS
