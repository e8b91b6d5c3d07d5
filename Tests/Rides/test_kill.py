"""kill -9 of the server, or of the database under it, at random moments of a mixed load, over and over.

Riders ask for quotes, request rides, cancel most of them, watch the others and talk to their drivers; drivers take
offers and drive to the payment. After each kill: every acknowledged write is there, once, and its repeat gets the
reply that was given; every topic is dense; the audit finds nothing; timers that must be there are there.

OCTET_KILL_ROUNDS sets the number of rounds, a few by default (`make storm`: a hundred on SQLite, thirty each on
PostgreSQL), OCTET_KILL_SEED the seed, which is printed.
"""

import os
import random
import sqlite3
import statistics
import time

import pytest
from support.rides import RIDES, check_invariants, estimate, rides
from support.server import Server
from support.storm import Crowd, World, spoken_in

from support.postgres import PostgreSQL

ROUNDS = os.environ.get("OCTET_KILL_ROUNDS")
SEED = os.environ.get("OCTET_KILL_SEED")
RIDERS, DRIVERS = 8, 4
MOST_WRITES = 120
ROUND_SECONDS = 15
SAMPLE = 50
FLAGS = ("--seed-demo", "--rate-limits", "standard=100000/100000,expensive=100000/100000,telemetry=100000/100000")

HOLES = """
    SELECT t.topic FROM octet_topics t LEFT JOIN octet_topic_events e ON e.topic = t.topic
    GROUP BY t.topic, t.last_sequence
    HAVING COUNT(e.sequence) <> t.last_sequence OR MIN(e.sequence) <> 1 OR MAX(e.sequence) <> t.last_sequence
"""
# Each change of a ride is one event of its topic.
UNTOLD = """
    SELECT (SELECT COALESCE(SUM(version), 0) FROM rides_rides)
      - (SELECT COALESCE(SUM(last_sequence), 0) FROM octet_topics WHERE topic LIKE 'ride/%')
"""
UNTIMED = """
    SELECT r.id FROM rides_rides r WHERE r.state IN (3, 4) AND NOT EXISTS (
      SELECT 1 FROM octet_timers t WHERE t.kind = 'rides.search' AND t.key = CAST(r.id AS TEXT))
"""


class Installation:
    """One octetd on one database, and what can be killed of it."""

    def __init__(self, folder, engine, victim):
        self.folder, self.victim = folder, victim
        # Without fsync, so that it is back soon: what a killed process has written, the system keeps.
        self.postgres = PostgreSQL() if engine == "PostgreSQL" else None
        self.flags = FLAGS if self.postgres is None else (*FLAGS, "--database", self.postgres.make_database())
        self.server = Server(folder, *self.flags)
        self.channel = self.server.channel()

    def kill(self, world):
        if self.victim == "database":
            return self.postgres.kill()
        self.server.kill()
        old = self.channel
        self.server = Server(self.folder, *self.flags)
        self.channel = self.server.channel()
        world.channel = self.channel
        old.close()

    def query(self, sql):
        """The rows of a statement, each as a line, by way around the server."""
        if self.postgres is not None:
            return self.postgres.run(sql, database="test1").split()
        with sqlite3.connect(f"file:{self.folder}/octet.db?mode=ro", uri=True, timeout=30) as database:
            return ["|".join(map(str, row)) for row in database.execute(sql)]

    def stop(self):
        self.channel.close()
        code = self.server.stop()
        if self.postgres is not None:
            self.postgres.stop()
        return code


def listed(world, rider):
    """The ids of all rides of a rider."""
    service = rides("ride_service")
    ids, token = [], ""
    while True:
        request = service.ListRidesRequest(side=service.RIDE_SIDE_RIDER, page_size=500, page_token=token)
        reply = world.insist(rider, lambda: rider.call(f"{RIDES}.RideService/ListRides", request))
        ids += [ride.id for ride in reply.rides]
        token = reply.next_page_token
        if not token:
            return ids


def requested(acknowledged, rider):
    return [entry.reply.id for entry in acknowledged
            if entry.person is rider and entry.path.endswith("/RequestRide")]  # fmt: skip


def check_replays(world, entries):
    for entry in entries:
        again = world.insist(entry.person, lambda entry=entry: entry.person.call(entry.path, entry.request))
        assert again == entry.reply, f"a replay of {entry.path} must give the same reply"


def check(world, crowd, installation, since, rng):
    with world.lock:
        acknowledged = list(world.acknowledged)
    check_replays(world, acknowledged[since:] + rng.sample(acknowledged, min(SAMPLE, len(acknowledged))))
    for rider in crowd.riders:
        there = listed(world, rider)
        assert len(there) == len(set(there))
        lost = set(requested(acknowledged, rider)) - set(there)
        assert not lost, f"acknowledged and gone: {lost}"
    assert installation.query(HOLES) == [], "topics with holes"
    assert installation.query(UNTOLD) == ["0"], "changes of rides without an event, or events without a change"
    assert installation.query(UNTIMED) == [], "searches without an end"
    assert world.insist(crowd.operator, lambda: check_invariants(crowd.operator)) == []


def check_all(world, crowd, installation, rng):
    """When everybody has finished: what is there is what was acknowledged, no more and no less."""
    check(world, crowd, installation, len(world.acknowledged), rng)
    for rider in crowd.riders:
        # Newest first.
        assert listed(world, rider) == requested(world.acknowledged, rider)[::-1]
    for ride_id in {said.ride_id for said in world.said}:
        of_ride = [said for said in world.said if said.ride_id == ride_id]
        messages = world.insist(crowd.operator, lambda ride_id=ride_id: spoken_in(of_ride[0].person, ride_id))
        assert [message.number for message in messages] == list(range(1, len(of_ride) + 1))
        expected = sorted((said.number, said.person.user_id, said.text) for said in of_ride)
        assert [(message.number, message.author_id, message.text) for message in messages] == expected


def wait_for(world, count, seconds):
    deadline = time.monotonic() + seconds
    while world.count < count and not world.failures and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not world.failures, world.failures


@pytest.mark.parametrize(
    "engine, victim, rounds", [("SQLite", "server", 4), ("PostgreSQL", "server", 2), ("PostgreSQL", "database", 2)]
)
def test_no_acknowledged_write_is_lost_or_doubled(tmp_path, engine, victim, rounds):
    seed = int(SEED or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}")
    rng = random.Random(seed)
    installation = Installation(tmp_path, engine, victim)
    world = World(installation.channel, seed)
    crowd = Crowd(world, RIDERS, DRIVERS)
    recoveries = []
    for _ in range(int(ROUNDS or rounds)):
        since = len(world.acknowledged)
        wait_for(world, world.count + rng.randrange(1, MOST_WRITES), ROUND_SECONDS)
        killed_at = time.monotonic()
        installation.kill(world)
        # Begun after the kill, unlike those that are under way.
        world.call(crowd.operator, f"{RIDES}.PricingService/EstimateFare", estimate())
        recoveries.append(time.monotonic() - killed_at)
        check(world, crowd, installation, since, rng)
    crowd.finish()
    assert not world.failures, world.failures
    check_all(world, crowd, installation, rng)
    assert installation.stop() == 0
    print(
        f"{engine}, {victim} killed {len(recoveries)} times: {world.count} acknowledged writes, {len(world.said)} of them"
        f" messages, {world.rides_finished} rides to the end, {world.changes_seen} changes watched; written again after"
        f" {statistics.median(recoveries):.1f} s, at most {max(recoveries):.1f} s"
    )
