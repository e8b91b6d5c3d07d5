"""kill -9 of the server in the middle of concurrent ride requests, over and over.

After each restart every acknowledged request is there, replays its reply under the same request_id, and nothing is
doubled. OCTET_KILL_ROUNDS sets the number of rounds (50 on SQLite and 8 on PostgreSQL by default).
"""

import concurrent.futures
import os
import random
import threading

import grpc

from support.people import request_id
from support.rides import RIDES, Rider, check_invariants, estimate, rides, staff
from support.server import Server

ROUNDS = os.environ.get("OCTET_KILL_ROUNDS")
RIDERS = 200
SEED = 7
RETRIES = 20


def request_all(riders, requests, kill, kill_after):
    """Sends all requests at once and kills the server after `kill_after` replies; returns the replies by rider."""
    enough = threading.Event()
    replies = {}

    def note(index):
        def done(future):
            # A call that the kill cut off is not acknowledged; list and dict operations are atomic in CPython.
            if future.code() == grpc.StatusCode.OK:
                replies[index] = future.result()
                if len(replies) >= kill_after:
                    enough.set()

        return done

    futures = []
    for index, (rider, request) in enumerate(zip(riders, requests)):
        futures.append(rider.begin(f"{RIDES}.RideService/RequestRide", request))
        futures[-1].add_done_callback(note(index))
    assert enough.wait(30), "the server did not answer enough requests"
    kill()
    for future in futures:
        future.exception(timeout=30)
    return dict(replies)


def call_all(riders, path, requests):
    """One unary call for each rider, all at once; returns the replies in order. A busy server may say UNAVAILABLE: the
    same request is then sent again, as clients do it."""
    futures = [rider.begin(path, request, timeout=60) for rider, request in zip(riders, requests)]
    return [settled(future, rider, path, request) for future, rider, request in zip(futures, riders, requests)]


def settled(future, rider, path, request):
    for _ in range(RETRIES):
        if future.code() != grpc.StatusCode.UNAVAILABLE:
            break
        future = rider.begin(path, request, timeout=60)
    return future.result()


def ride_ids(rider):
    service = rides("ride_service")
    request = service.ListRidesRequest(side=service.RIDE_SIDE_RIDER, page_size=500)
    return [ride.id for ride in rider.call(f"{RIDES}.RideService/ListRides", request).rides]


def test_no_acknowledged_request_is_lost_or_doubled(tmp_path, engine_flags):
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    server = Server(tmp_path, "--seed-demo", *engine_flags)
    channel = server.channel()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        riders = list(pool.map(lambda number: Rider(channel, f"kill_rider_{number}"), range(RIDERS)))
    service = rides("ride_service")
    made = [[] for _ in riders]
    for _ in range(int(ROUNDS or (8 if engine_flags else 50))):
        quotes = call_all(riders, f"{RIDES}.PricingService/EstimateFare", [estimate() for _ in riders])
        requests = [rider.request_for(reply.quotes[0]) for rider, reply in zip(riders, quotes)]
        acknowledged = request_all(riders, requests, server.kill, rng.randrange(1, RIDERS))
        channel.close()

        server = Server(tmp_path, "--seed-demo", *engine_flags)
        channel = server.channel()
        for rider in riders:
            rider.channel = channel
        replies = call_all(riders, f"{RIDES}.RideService/RequestRide", requests)
        for index, reply in enumerate(replies):
            if index in acknowledged:
                assert reply == acknowledged[index], "a replay must give the same reply"
            made[index].append(reply.id)
        cancels = [service.CancelRideRequest(request_id=request_id(), ride_id=reply.id) for reply in replies]
        call_all(riders, f"{RIDES}.RideService/CancelRide", cancels)
    for rider, expected in zip(riders, made):
        # Newest first: nothing lost, nothing doubled, nothing that nobody asked for.
        assert ride_ids(rider) == expected[::-1]
    assert check_invariants(staff(channel)) == []
    assert server.stop() == 0
