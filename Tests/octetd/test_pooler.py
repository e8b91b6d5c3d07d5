"""octetd through PgBouncer that gives each transaction another session of the server."""

import contextlib
import shutil

import grpc

from support.pooler import pooler
from support.postgres import name_of
from support.ride_load import RETRYABLE, Load
from support.server import Server

RIDERS = 12
# Fewer than the nodes have connections, so that a transaction hardly ever gets the session of the one before.
SESSIONS = 6
WRITES = 300
TRIES = 3
FLAGS = ("--rate-limits", "standard=100000/100000")


def is_of_stall(failure):
    """Whether a call has ended as one does on a machine that stands still. Where a session is mixed up with another, calls
    end otherwise, and watches miss something."""
    error = failure.__cause__ or failure
    return isinstance(error, grpc.RpcError) and error.code() in RETRYABLE


def come_through(channel):
    """A load of which no call has failed. None of the riders' calls is sent again: a pooler is no fault. A machine that
    stands still is one, but not each time."""
    for number in range(1, TRIES + 1):
        load = None
        try:
            load = Load(channel, RIDERS, f"pooled{number}", retries=False)
            with load:
                load.await_writes(WRITES)
            return load
        except (grpc.RpcError, AssertionError) as error:
            failures = load.failures if load else [error]
            if number == TRIES or not failures or not all(map(is_of_stall, failures)):
                raise
            print(f"try {number}: {failures}")


def test_nodes_serve_through_a_pooler_that_gives_each_transaction_another_session(tmp_path, postgres):
    name = name_of(postgres.make_database())
    with pooler(postgres, "transaction", SESSIONS) as through, contextlib.ExitStack() as nodes:
        flags = (*FLAGS, "--database", through(name), "--blobs", tmp_path / "blobs")
        # From nothing: the schema of all domains.
        first = nodes.enter_context(Server(tmp_path / "a", "--seed-demo", *flags))
        (tmp_path / "b").mkdir(mode=0o700)
        shutil.copy2(tmp_path / "a" / "root.key", tmp_path / "b" / "root.key")
        second = nodes.enter_context(Server(tmp_path / "b", *flags))
        target = f"ipv4:{first.address},{second.address}"
        round_robin = [("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}')]
        with grpc.insecure_channel(target, round_robin) as channel:
            load = come_through(channel)
            load.check(channel, lambda sql: postgres.run(sql, database=name))
        # The last to leave comes back.
        assert second.stop() == first.stop() == 0
        with Server(tmp_path / "a", *flags) as again, again.channel() as channel:
            load.check(channel, lambda sql: postgres.run(sql, database=name))
