"""octetd while its connections to PostgreSQL are cut, held up and mute at random points: calls fail, or take their time,
and what was acknowledged is there, once.

OCTET_CONNECTION_FAULT_ROUNDS sets how long, OCTET_CONNECTION_FAULT_SEED the seed, which is printed.
"""

import os
import random

from support.breaking_way import BreakingWay
from support.postgres import name_of
from support.ride_load import Load
from support.server import Server

ROUNDS = int(os.environ.get("OCTET_CONNECTION_FAULT_ROUNDS", "1"))
SEED = os.environ.get("OCTET_CONNECTION_FAULT_SEED")
RIDERS = 12
# Bytes of a connection: some tens of transactions.
LONGEST_LIFE = 100_000
# Of connections, in a round; each way comes a third of the times.
HARMS = 30
FLAGS = ("--seed-demo", "--rate-limits", "standard=100000/100000")


def test_connections_that_break_lose_no_acknowledged_write_and_double_none(tmp_path, postgres):
    seed = int(SEED or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}")
    with BreakingWay(postgres.port, seed) as way:
        url = postgres.make_database(way.port)
        with Server(tmp_path, *FLAGS, "--database", url) as server, server.channel() as channel:
            with Load(channel, RIDERS, "broken") as load:
                for number in range(ROUNDS):
                    with way.breaks(LONGEST_LIFE):
                        while way.done < (number + 1) * HARMS:
                            load.await_writes(20)
                    # In peace again.
                    load.await_writes(50)
            found = load.check(channel, lambda sql: postgres.run(sql, database=name_of(url)))
        print(f"{way.done} connections harmed: {found} rides, {load.retried} calls sent again")
