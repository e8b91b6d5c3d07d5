"""Rides whose rider, driver and matcher are on different nodes of one PostgreSQL, with NATS between them, without, and
with one that loses messages, while nodes are killed and NATS restarts."""

import contextlib
import shutil

import pytest

from support.nats import LossyWay, nats
from support.people import reason_of
from support.ports import reserve
from support.rides import STATION, Driver, Rider, check_invariants, demo_city, rides, staff
from support.server import Server
from support.whole_ride import (
    Track,
    Watch,
    await_that,
    check_receipt,
    check_whole,
    finish,
    north,
    on,
    pin_of,
    play,
    state_name,
)

# Of what is published, how much a bad way to the bus loses.
LOST_SHARE = 0.5
# A node that does not come to run for ten seconds loses the city: then all begins anew.
TRIES = 3


@pytest.fixture(params=["NATS", "no bus", "NATS that loses messages"])
def bus_flags(request, tmp_path):
    if request.param == "no bus":
        yield []
        return
    with nats(tmp_path) as url:
        if request.param == "NATS":
            yield ["--bus", url]
            return
        with LossyWay(url, LOST_SHARE) as way:
            yield ["--bus", way.url]
            assert way.lost, "the nodes have told each other nothing"


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


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_rider_and_driver_on_different_nodes(tmp_path, postgres, bus_flags, names):
    with nodes(tmp_path, postgres, bus_flags, names) as servers, contextlib.ExitStack() as stack:
        channels = [stack.enter_context(server.channel()) for server in servers]
        # A third node is neither the rider's nor the driver's, and does not match the city.
        third = channels[2 % len(channels)]
        operator = staff(third)
        rider = Rider(channels[0], "near_rider")
        driver = Driver(channels[1], "far_driver", operator, demo_city(operator))
        # Any node takes any call, wherever the driver's session is.
        play(rider, driver, operator, elsewhere=third)


def test_a_newer_session_on_another_node_ends_the_older_one(tmp_path, postgres, bus_flags):
    with (
        nodes(tmp_path, postgres, bus_flags, "ab") as (here, there),
        here.channel() as near,
        there.channel() as far,
    ):
        operator = staff(near)
        driver = Driver(near, "moving_driver", operator, demo_city(operator))
        sessions = [driver.session_at(STATION)]
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


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_nodes_are_killed_in_mid_ride(tmp_path, postgres, bus_flags, names):
    """The node that matches the city dies while it looks for a driver, and the driver's during the ride. Of two nodes the
    first one is the rider's, too: the ride goes on with the other one alone, and later with the first one, come back."""
    with contextlib.ExitStack() as stack:
        for number in range(TRIES):
            folder = tmp_path / f"try{number}"
            folder.mkdir()
            attempt = stack.enter_context(contextlib.ExitStack())
            servers = attempt.enter_context(nodes(folder, postgres, bus_flags, names))
            matcher, drivers, *others = servers
            near, far = (attempt.enter_context(server.channel()) for server in (matcher, drivers))
            safe = attempt.enter_context(others[0].channel()) if others else near
            operator = staff(safe)
            rider = Rider(safe, "rider")
            driver = Driver(far, "driver", operator, demo_city(operator))
            session = driver.session_at(STATION)
            if not any(map(matches, servers[1:])):
                break
            attempt.close()
        else:
            raise AssertionError("the city does not stay with the first node")

        ride = rider.request_ride()
        watches = [Watch(on(rider, near), ride.id)]
        await_that(lambda: watches[0].responses, "the watch did not begin")
        matcher.kill()
        if not others:
            rider.channel = operator.channel = far
        watches.append(watches[-1].resumed_by(rider))

        # If the matcher had made an offer, it stands, or runs out and another node makes the next one.
        assert session.take_offer(ride.id).ride.id == ride.id
        await_that(lambda: any(map(matches, servers[1:])), "nobody took the city over")
        track = Track(rider, ride.id)
        session.drive_to(north(20))
        track.await_place(north(20))
        assert state_name(driver.ride_call("MarkArrived", ride.id).state) == "ARRIVED"
        driver.ride_call("StartRide", ride.id, pin=pin_of(rider, ride))
        session.report(north(20.01))
        track.await_place(north(20.01))
        last = others[0] if others else stack.enter_context(Server(matcher.data, *matcher.flags))
        drivers.kill()

        if not others:
            safe = stack.enter_context(last.channel())
            rider.channel = operator.channel = safe
            watches.append(watches[-1].resumed_by(rider))
            track = Track(rider, ride.id)
        driver.channel = safe
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
        watches[-1].states()
        check_whole(*watches)
        check_receipt(rider, operator, ride)
        assert check_invariants(operator) == []

        # One node is left: it has the city, and knows that the driver is free.
        again = rider.request_ride()
        assert session.next_offer().ride_id == again.id
        await_that(lambda: matches(last), "the last node has not said that it took the city")
        rider.ride_call("CancelRide", again.id)
        assert check_invariants(operator) == []


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
        session = driver.session_at(STATION)
        ride = rider.request_ride()
        watch, track = Watch(rider, ride.id), Track(rider, ride.id)
        session.take_offer(ride.id)
        bus.close()
        session.drive_to(north(20))
        track.await_place(north(20))
        driver.ride_call("MarkArrived", ride.id)
        bus.enter_context(nats(tmp_path, port))
        driver.ride_call("StartRide", ride.id, pin=pin_of(rider, ride))
        session.report(north(20.01))
        track.await_place(north(20.01))
        bus.close()
        finish(driver, ride)
        # Nobody tells of the end: it is found in the database.
        track.await_end()
        watch.states()
        check_whole(watch)
        assert check_invariants(operator) == []
    holder.close()
