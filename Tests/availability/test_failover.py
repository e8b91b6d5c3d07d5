"""PostgreSQL under Patroni, in the configuration of the guide: its primary is killed under load.

`make test` kills a whole node, Patroni and server, once. OCTET_FAILOVER_ROUNDS=1 or more runs the long test as well: each
round kills a whole node, the server alone and Patroni alone, and freezes a node, which then comes back as a standby.
"""

import os
import re
import time

import pytest

from support.paths import ROOT
from support.patroni import PatroniCluster
from support.ride_load import Load
from support.server import Server

ROUNDS = int(os.environ.get("OCTET_FAILOVER_ROUNDS", "0"))
RIDERS = 12
CONFIGURATION = ROOT / "docs/guides/high-availability/patroni.yml"
TTL_SECONDS = int(re.search(r"^ +ttl: (\d+)$", CONFIGURATION.read_text(), re.M)[1])


long = pytest.mark.skipif(ROUNDS == 0, reason="takes minutes: OCTET_FAILOVER_ROUNDS=1")


@pytest.fixture(scope="module")
def cluster():
    with PatroniCluster() as cluster:
        cluster.make_database()
        yield cluster


@pytest.fixture(scope="module")
def octetd(cluster, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("data"), "--seed-demo", "--database", cluster.url()) as server:
        yield server


def fail_over(cluster, load, harm, mend=None):
    """Does harm to the primary; returns its number, and for how long no write was acknowledged.

    It is mended as soon as there is another primary, and must become a standby.
    """
    load.await_writes(50)
    old = cluster.primary()
    copies = cluster.copies(old)
    standby = cluster.await_node("synchronous")
    began = time.monotonic()
    harm(old)
    new = cluster.await_node("primary", among=[node for node in cluster.nodes if node != old])
    assert new == standby, "only the synchronous standby has every acknowledged write"
    if mend:
        mend(old)
    load.await_writes(200)
    if mend:
        cluster.await_node("replica", among=[old])
        assert cluster.copies(old) == copies, "it was rewound"
    return old, load.longest_pause(began)


def report(name, seconds, load, rides):
    print(f"\n{name}: no write acknowledged for {seconds:.1f} s; {rides} rides, {load.retried} calls sent again")


def test_a_primary_that_is_lost_takes_no_acknowledged_write_along(cluster, octetd):
    with octetd.channel() as channel:
        with Load(channel, RIDERS, "lost") as load:
            lost, seconds = fail_over(cluster, load, cluster.kill)
            # Two nodes go on without the third, and with a standby that has everything.
            assert cluster.await_node("synchronous") != lost
        report("node killed", seconds, load, load.check(channel, cluster.run))
        cluster.start(lost)


@long
def test_primaries_fail_in_every_way_and_come_back(cluster, octetd):
    ways = {
        "node killed": (cluster.kill, cluster.start),
        "server killed": (lambda node: cluster.kill(node, patroni=False), cluster.start),
        # Its server goes on and believes that it is the primary.
        "Patroni killed": (lambda node: cluster.kill(node, server=False), cluster.start),
        "node frozen": (cluster.freeze, cluster.thaw),
    }
    with octetd.channel() as channel:
        for number in range(ROUNDS):
            for name, (harm, mend) in ways.items():
                with Load(channel, RIDERS, f"{name.replace(' ', '_').lower()}_{number}") as load:
                    _, seconds = fail_over(cluster, load, harm, mend)
                report(name, seconds, load, load.check(channel, cluster.run))


@long
def test_writes_go_on_without_etcd(cluster, octetd):
    with octetd.channel() as channel:
        primary = cluster.primary()
        cluster.await_node("synchronous")
        with Load(channel, RIDERS, "no_etcd") as load:
            began = time.monotonic()
            with cluster.without_etcd():
                # Longer than the lock lasts.
                while time.monotonic() < began + 1.5 * TTL_SECONDS:
                    load.await_writes(50)
            load.await_writes(50)
            seconds = load.longest_pause(began)
        report("etcd away", seconds, load, load.check(channel, cluster.run))
        assert cluster.primary() == primary and seconds < TTL_SECONDS / 2
