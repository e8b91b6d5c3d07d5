"""PostgreSQL under Patroni, in the configuration of the guide: its primary is killed under load.

`make test` kills a whole node, Patroni and server, once. OCTET_FAILOVER_ROUNDS=1 or more runs the long test as well: each
round kills a whole node, the server alone and Patroni alone, and has the node come back as a standby.
"""

import os
import time

import pytest

from load import Load
from support.patroni import PatroniCluster
from support.server import Server

ROUNDS = int(os.environ.get("OCTET_FAILOVER_ROUNDS", "0"))
RIDERS = 12


@pytest.fixture(scope="module")
def cluster():
    with PatroniCluster() as cluster:
        cluster.make_database()
        yield cluster


@pytest.fixture(scope="module")
def octetd(cluster, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("data"), "--seed-demo", "--database", cluster.url()) as server:
        yield server


def fail_over(cluster, load, comes_back=False, **what):
    """Kills the primary, or a part of it; returns the one that was killed, and for how long nothing was acknowledged.

    If it comes back, it does so as soon as there is another primary, and must become a standby.
    """
    old = cluster.primary()
    standby = cluster.await_node("synchronous")
    load.await_writes(50)
    began = time.monotonic()
    cluster.kill(old, **what)
    new = cluster.await_node("primary", among=[node for node in cluster.nodes if node != old])
    assert new == standby, "only the synchronous standby has every acknowledged write"
    if comes_back:
        cluster.start(old)
    load.await_writes(200)
    if comes_back:
        cluster.await_node("replica", among=[old])
    return old, load.longest_pause(began)


def test_a_primary_that_is_lost_takes_no_acknowledged_write_along(cluster, octetd):
    with octetd.channel() as channel:
        with Load(channel, RIDERS, "lost") as load:
            lost, seconds = fail_over(cluster, load)
            # Two nodes go on without the third, and with a standby that has everything.
            assert cluster.await_node("synchronous") != lost
        rides = load.check(channel, cluster.run)
        print(f"\nnode lost: no write acknowledged for {seconds:.1f} s; {rides} rides, {load.retried} calls retried")
        cluster.start(lost)


@pytest.mark.skipif(ROUNDS == 0, reason="takes minutes: OCTET_FAILOVER_ROUNDS=1")
def test_primaries_fail_in_every_way_and_come_back(cluster, octetd):
    ways = {
        "node lost": {},
        "server lost": {"patroni": False},
        # Its server goes on and believes that it is the primary.
        "Patroni lost": {"server": False},
    }
    with octetd.channel() as channel:
        for number in range(ROUNDS):
            for name, way in ways.items():
                with Load(channel, RIDERS, f"{name.replace(' ', '_').lower()}_{number}") as load:
                    _, seconds = fail_over(cluster, load, comes_back=True, **way)
                rides = load.check(channel, cluster.run)
                retried = load.retried
                print(f"\n{name}: no write acknowledged for {seconds:.1f} s; {rides} rides, {retried} calls retried")
