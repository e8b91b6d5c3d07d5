"""Riders who request rides, watch them and cancel them, over and over, while something happens to the servers."""

import concurrent.futures
import itertools
import threading
import time

import grpc

from .people import request_id
from .rides import RIDES, Rider, check_invariants, estimate, rides, staff

RIDE_SERVICE = f"{RIDES}.RideService"
RETRY_SECONDS = 300
CALL_SECONDS = 120
# A call whose deadline has passed has an unknown outcome, as UNAVAILABLE has.
RETRYABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
REGISTERING_AT_ONCE = 4

# Every topic has the numbers from its first event to its last, and no other.
GAPS = """
  SELECT t.topic FROM octet_topics t LEFT JOIN octet_topic_events e ON e.topic = t.topic
  GROUP BY t.topic, t.last_sequence
  HAVING count(e.sequence) <> t.last_sequence OR coalesce(max(e.sequence), 0) <> t.last_sequence
"""


class Refused(Exception):
    """A call failed in a way that no retry mends."""


class Load:
    """A context manager: each rider has a thread, from the beginning of the block to its end.

    With `retries`, a call that ends with UNAVAILABLE is made again with the same request, and so the same request_id;
    without, the channel's own retries have to do and each failure is one of the test. No channel mends a watch that has
    begun: when its server leaves, it goes on elsewhere in any case.
    """

    def __init__(self, channel, riders, name, retries=True):
        self.retries = retries
        self._resumable = RETRYABLE if retries else (grpc.StatusCode.UNAVAILABLE,)
        self.retried = 0
        with concurrent.futures.ThreadPoolExecutor(REGISTERING_AT_ONCE) as pool:
            self.riders = list(pool.map(lambda number: Rider(channel, f"{name}_{number}"), range(riders)))
        # By rider: the rides that were acknowledged.
        self.made = [[] for _ in self.riders]
        # Requests and their replies: of each rider the last for each method, and all that were made more than once.
        self.last = {}
        self.repeated = []
        # When writes were acknowledged, by the monotonic clock.
        self.acknowledged = []
        self.failures = []
        self._stop = threading.Event()
        # Every second one watches its rides; the others keep the servers busy.
        self._threads = [
            threading.Thread(target=self._work, args=(rider, self.made[number], number % 2 == 0))
            for number, rider in enumerate(self.riders)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(RETRY_SECONDS + CALL_SECONDS)
            assert not thread.is_alive(), "a rider's call never ended"
        if kind is None:
            assert self.failures == []

    def _work(self, rider, made, watches):
        try:
            while not self._stop.is_set():
                self._ride(rider, made, watches)
        except (grpc.RpcError, Refused, AssertionError) as error:
            self.failures.append(error)

    def _ride(self, rider, made, watches):
        self._renew(rider)
        quote = self.write(rider, f"{RIDES}.PricingService/EstimateFare", estimate()).quotes[0]
        request = rider.request_for(quote)
        ride = self.write(rider, f"{RIDE_SERVICE}/RequestRide", request)
        made.append(ride)
        cancel = rides("ride_service").CancelRideRequest(request_id=request_id(), ride_id=ride.id)
        if not watches:
            self.write(rider, f"{RIDE_SERVICE}/CancelRide", cancel)
            return
        watch = self._watch(rider, ride.id)
        seen = [next(watch)]
        cancelled = self.write(rider, f"{RIDE_SERVICE}/CancelRide", cancel)
        seen += watch
        # Nothing missed and nothing twice, whichever servers it was heard from.
        versions = [change.version for change in seen]
        assert versions == list(range(versions[0], versions[0] + len(versions))), versions
        assert (seen[-1].state, seen[-1].version) == (cancelled.state, cancelled.version), versions

    def _watch(self, rider, ride_id):
        """A ride at each of its changes until its end; goes on after the last one when a server leaves."""
        request = rides("ride_service").WatchRideRequest(ride_id=ride_id)
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                for row in rider.stream(f"{RIDE_SERVICE}/WatchRide", request, timeout=RETRY_SECONDS):
                    request.resume_token = row.resume_token
                    if row.WhichOneof("event"):
                        yield row.change if row.HasField("change") else row.snapshot
                return
            except grpc.RpcError as error:
                if error.code() not in self._resumable or time.monotonic() > deadline:
                    raise Refused(f"WatchRide: {error.code()}: {error.details()}") from error
                self.retried += 1
                time.sleep(0.05)

    def _renew(self, rider):
        self._insist("Login", rider.renew)

    def write(self, rider, path, request):
        reply, attempts = self._insist(path, lambda: rider.call(path, request, timeout=CALL_SECONDS))
        self.acknowledged.append(time.monotonic())
        self.last[rider.handle, path] = (rider, path, request, reply)
        if attempts > 1:
            self.repeated.append((rider, path, request, reply))
        return reply

    def _insist(self, path, call):
        """The reply, and how often the call was made."""
        deadline = time.monotonic() + RETRY_SECONDS
        for attempt in itertools.count(1):
            try:
                return call(), attempt
            except grpc.RpcError as error:
                may_retry = self.retries and error.code() in RETRYABLE and time.monotonic() < deadline
                if not may_retry:
                    raise Refused(f"{path}: {error.code()}: {error.details()}") from error
                self.retried += 1
                time.sleep(0.05)

    def await_writes(self, count, seconds=300):
        """Waits until so many more writes are acknowledged."""
        wanted = len(self.acknowledged) + count
        deadline = time.monotonic() + seconds
        while len(self.acknowledged) < wanted:
            assert not self.failures, self.failures
            assert time.monotonic() < deadline, "the service does not come back"
            time.sleep(0.02)

    def longest_pause(self, since):
        """The longest time without an acknowledged write after an instant, in seconds."""
        times = [since, *sorted(moment for moment in self.acknowledged if moment >= since)]
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    def check_replays(self):
        """After the block: a request that is made again gets the reply that it got, and does nothing."""
        assert {path.rpartition("/")[2] for _, path in self.last} == {"EstimateFare", "RequestRide", "CancelRide"}
        for rider, path, request, reply in [*self.last.values(), *self.repeated]:
            self._renew(rider)
            assert rider.call(path, request) == reply, f"{path}: a replay must give the same reply"

    def check(self, channel, run_sql):
        """After the block: every acknowledged write is there, once, and nothing that nobody asked for."""
        service = rides("ride_service")
        total = 0
        for rider, made in zip(self.riders, self.made):
            rider.channel = channel
            if not made:
                continue
            self._renew(rider)
            found, token = [], ""
            while True:
                listing = service.ListRidesRequest(side=service.RIDE_SIDE_RIDER, page_size=500, page_token=token)
                page = rider.call(f"{RIDE_SERVICE}/ListRides", listing)
                found += [ride.id for ride in page.rides]
                token = page.next_page_token
                if not token:
                    break
            assert found == [ride.id for ride in reversed(made)]
            total += len(found)
        assert total > len(self.riders)
        self.check_replays()
        assert run_sql(GAPS).split() == []
        assert check_invariants(staff(channel)) == []
        return total
