"""Rides whose rider, driver and matcher are on different nodes of one PostgreSQL, with NATS between them and without,
while nodes are killed and NATS restarts."""

import contextlib
import copy
import shutil
import threading
import time

import grpc
import pytest

from support import stubs
from support.nats import nats
from support.people import reason_of
from support.ports import reserve
from support.rides import RIDES, STATION, Conversation, Driver, Rider, check_invariants, demo_city, rides, staff
from support.server import Server
from test_ride_end_to_end import Watch, state_name

# Longer than a city's lease, and what follows it.
TAKEOVER_SECONDS = 30
ORDER = ["REQUESTED", "OFFERING", "ASSIGNED", "ARRIVED", "IN_PROGRESS", "COMPLETED", "PAID"]


@pytest.fixture(params=["NATS", "no bus"])
def bus_flags(request, tmp_path):
    if request.param == "no bus":
        yield []
        return
    with nats(tmp_path) as url:
        yield ["--bus", url]


@contextlib.contextmanager
def nodes(folder, postgres, flags, names):
    """Servers of one installation, by name. The first one matches the demo city by the time the others start."""
    flags = ["--database", postgres.make_database(), "--blobs", folder / "blobs", *flags]
    with contextlib.ExitStack() as stack:
        servers = []
        for name in names:
            if servers:
                (folder / name).mkdir(mode=0o700)
                shutil.copy2(servers[0].data / "root.key", folder / name / "root.key")
            server = stack.enter_context(Server(folder / name, *flags, *([] if servers else ["--seed-demo"])))
            if not servers:
                await_that(lambda: matches(server), "no node took the city")
            servers.append(server)
        yield servers


def matches(server):
    """Whether a node has taken the city."""
    return any('"rides_city_taken"' in line for line in server.log)


def await_that(condition, otherwise, seconds=TAKEOVER_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def on(person, channel):
    """The same person, with another connection."""
    moved = copy.copy(person)
    moved.channel = channel
    return moved


class Track:
    """Follows TrackRide in the background."""

    def __init__(self, rider, ride_id):
        request = rides("tracking_service").TrackRideRequest(ride_id=ride_id)
        self._call = rider.stream(f"{RIDES}.TrackingService/TrackRide", request, timeout=120)
        self._changed = threading.Condition()
        self._updates = []
        self.code = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for update in self._call:
                with self._changed:
                    self._updates.append(update)
                    self._changed.notify_all()
            code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            code = error.code()
        with self._changed:
            self.code = code
            self._changed.notify_all()

    def await_place(self, point):
        with self._changed:
            near = lambda update: abs(update.place.latitude - point[0]) < 1e-9  # noqa: E731
            assert self._changed.wait_for(lambda: any(map(near, self._updates)), 20), "the place was not seen"

    def await_end(self):
        with self._changed:
            assert self._changed.wait_for(lambda: self.code is not None, 20), "TrackRide must end with the ride"
            assert self.code == grpc.StatusCode.OK
            times = [(u.measured_at.seconds, u.measured_at.nanos) for u in self._updates if u.HasField("place")]
            assert times == sorted(times), "a place went back"


def north(metres):
    """A place so far from the station. A car cannot be 20 metres away in the next moment, but some centimetres."""
    return (STATION[0] + metres / 111_195, STATION[1])


def versions(*watches):
    """The versions of the ride that watches have seen, one after the other."""
    responses = [response for watch in watches for response in watch.responses if response.WhichOneof("event")]
    return [(r.snapshot if r.HasField("snapshot") else r.change).version for r in responses]


def check_whole(states, *watches):
    assert [state for state in ORDER if state in states] == ORDER[ORDER.index(states[0]) :], states
    seen = versions(*watches)
    assert seen == list(range(seen[0], seen[0] + len(seen))), "each change once, in order"


def next_offer(session):
    """Also one that is made only after another node has taken the city over."""
    deadline = time.monotonic() + TAKEOVER_SECONDS
    while True:
        response = session.received.get(timeout=deadline - time.monotonic())
        assert response is not None, session.error
        if response.WhichOneof("event") == "offer":
            return response.offer


def finish(driver, ride):
    """Ends a ride that is IN_PROGRESS."""
    completed = driver.ride_call("CompleteRide", ride.id)
    assert state_name(completed.state) == "COMPLETED"
    driver.ride_call("ConfirmCash", ride.id, received=completed.total)


def test_rider_and_driver_on_different_nodes(tmp_path, postgres, bus_flags):
    with (
        nodes(tmp_path, postgres, bus_flags, "ab") as (here, there),
        here.channel() as near,
        there.channel() as far,
    ):
        operator = staff(near)
        rider = Rider(near, "near_rider")
        driver = Driver(far, "far_driver", operator, demo_city(operator))
        session = driver.session()
        session.go_online()
        session.report(STATION)

        ride = rider.request_ride()
        watch, track = Watch(rider, ride.id), Track(rider, ride.id)
        offer = next_offer(session)
        assert offer.ride_id == ride.id
        assert session.accept(offer).WhichOneof("event") == "ack"

        frames, chat = rides("ride_service"), stubs.module("octet.chat.v1.frames_pb2")
        chats = [Conversation(person, f"{RIDES}.RideService/RideChat") for person in (rider, driver)]
        for conversation in chats:
            join = chat.ClientFrame(join=chat.Join())
            conversation.send(frames.RideChatRequest(ride_id=ride.id, frame=join))
            conversation.next(lambda response: response.frame.HasField("joined"))
        post = chat.Post(request_id="8a5be9a3-29a9-4d0d-9a52-0a3b5bb6d2ee", text="By the clock")
        chats[0].send(frames.RideChatRequest(ride_id=ride.id, frame=chat.ClientFrame(post=post)))
        heard = chats[1].next(lambda response: response.frame.HasField("message")).frame.message
        assert (heard.text, heard.author_id) == ("By the clock", rider.user_id)
        for conversation in chats:
            conversation.finish()

        session.report(north(20))
        track.await_place(north(20))
        # Any node takes any call, wherever the driver's session is.
        moved = on(driver, near)
        assert state_name(moved.ride_call("MarkArrived", ride.id).state) == "ARRIVED"
        moved.ride_call("StartRide", ride.id, pin=ride.pin)
        for metres in (20.01, 20.02, 20.03):
            session.report(north(metres))
            track.await_place(north(metres))
        await_that(
            lambda: session.report(north(20.04)).ack.presence == rides("driver").PRESENCE_ON_TRIP,
            "the session's node has not seen that the ride began",
        )
        finish(driver, ride)
        track.await_end()
        states = watch.states()
        check_whole(states, watch)
        assert check_invariants(operator) == []


def test_a_newer_session_on_another_node_ends_the_older_one(tmp_path, postgres, bus_flags):
    with (
        nodes(tmp_path, postgres, bus_flags, "ab") as (here, there),
        here.channel() as near,
        there.channel() as far,
    ):
        operator = staff(near)
        driver = Driver(near, "moving_driver", operator, demo_city(operator))
        sessions = [driver.session()]
        sessions[0].go_online()
        sessions[0].report(STATION)
        # There and back again.
        for channel in (far, near):
            driver.channel = channel
            sessions.append(driver.session())
            state = sessions[-1].next(lambda response: response.WhichOneof("event") == "state").state
            assert state.presence == rides("driver").PRESENCE_IDLE
            with pytest.raises(EOFError):
                sessions[-2].next(lambda _: False)
            assert reason_of(sessions[-2].error) == "SESSION_REPLACED"
            assert sessions[-1].report(STATION).WhichOneof("event") == "ack"
        sessions[-1].finish()
        assert check_invariants(operator) == []


def test_nodes_are_killed_in_mid_ride(tmp_path, postgres, bus_flags):
    """The node that matches the city dies while it looks for a driver, and the driver's during the ride."""
    with nodes(tmp_path, postgres, bus_flags, "abc") as (matcher, drivers, riders):
        channels = [server.channel() for server in (matcher, drivers, riders)]
        operator = staff(channels[2])
        rider = Rider(channels[2], "rider")
        driver = Driver(channels[1], "driver", operator, demo_city(operator))
        session = driver.session()
        session.go_online()
        session.report(STATION)
        assert matches(matcher) and not matches(drivers) and not matches(riders)

        ride = rider.request_ride()
        first = Watch(on(rider, channels[0]), ride.id)
        await_that(lambda: first.responses, "the watch did not begin")
        matcher.kill()
        first.states()
        token = [response.resume_token for response in first.responses if response.WhichOneof("event")][-1]
        watch = Watch(rider, ride.id, token)

        # If the matcher had made an offer, it stands, or runs out and another node makes the next one.
        for _ in range(2):
            accepted = session.accept(next_offer(session))
            if accepted.WhichOneof("event") == "ack":
                break
        assert accepted.ack.ride.id == ride.id, accepted
        await_that(lambda: matches(drivers) or matches(riders), "nobody took the city over")
        track = Track(rider, ride.id)
        session.report(north(20))
        track.await_place(north(20))
        assert state_name(driver.ride_call("MarkArrived", ride.id).state) == "ARRIVED"
        driver.ride_call("StartRide", ride.id, pin=ride.pin)
        session.report(north(20.01))
        track.await_place(north(20.01))
        drivers.kill()

        driver.channel = channels[2]
        session = driver.session()
        state = session.next(lambda response: response.WhichOneof("event") == "state").state
        assert (state.presence, state.ride.id) == (rides("driver").PRESENCE_ON_TRIP, ride.id)
        # What the dead node had not made durable is sent again.
        driver.sequence = state.durable_sequence
        for metres in (20.01, 20.02, 20.03):
            assert not session.report(north(metres)).ack.refused
        track.await_place(north(20.03))
        finish(driver, ride)
        track.await_end()
        check_whole(watch.states(), first, watch)
        receipt = rider.ride_call("GetReceipt", ride.id)
        assert operator.ride_call("RecomputeFare", ride.id) == receipt
        assert check_invariants(operator) == []

        # One node is left: it has the city, and knows that the driver is free.
        again = rider.request_ride()
        assert next_offer(session).ride_id == again.id
        assert matches(riders)
        rider.ride_call("CancelRide", again.id)
        assert check_invariants(operator) == []
        for channel in channels:
            channel.close()


def test_the_bus_restarts_in_mid_ride(tmp_path, postgres):
    holder = reserve()
    port = holder.getsockname()[1]
    with contextlib.ExitStack() as stack:
        bus = stack.enter_context(contextlib.ExitStack())
        url = bus.enter_context(nats(tmp_path, port))
        here, there = stack.enter_context(nodes(tmp_path, postgres, ["--bus", url], "ab"))
        near, far = stack.enter_context(here.channel()), stack.enter_context(there.channel())
        operator = staff(near)
        rider = Rider(near, "rider")
        driver = Driver(far, "driver", operator, demo_city(operator))
        session = driver.session()
        session.go_online()
        session.report(STATION)
        ride = rider.request_ride()
        watch, track = Watch(rider, ride.id), Track(rider, ride.id)
        assert session.accept(next_offer(session)).WhichOneof("event") == "ack"
        bus.close()
        session.report(north(20))
        track.await_place(north(20))
        driver.ride_call("MarkArrived", ride.id)
        bus.enter_context(nats(tmp_path, port))
        driver.ride_call("StartRide", ride.id, pin=ride.pin)
        session.report(north(20.01))
        track.await_place(north(20.01))
        bus.close()
        finish(driver, ride)
        # Nobody tells of the end: it is found in the database.
        track.await_end()
        check_whole(watch.states(), watch)
        assert check_invariants(operator) == []
    holder.close()
