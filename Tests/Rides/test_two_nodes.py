"""A ride whose rider and driver are on different nodes of one PostgreSQL, with NATS between them and without."""

import shutil

import pytest

from support.nats import nats
from support.rides import RIDES, STATION, Driver, Rider, check_invariants, demo_city, rides, staff
from support.server import Server
from test_ride_end_to_end import Conversation, Watch, state_name, stubs


@pytest.fixture(params=["NATS", "no bus"])
def bus_flags(request, tmp_path):
    if request.param == "no bus":
        yield []
        return
    with nats(tmp_path) as url:
        yield ["--bus", url]


def test_rider_and_driver_on_different_nodes(tmp_path, postgres, bus_flags):
    flags = ["--database", postgres.make_database(), *bus_flags]
    with Server(tmp_path / "a", "--seed-demo", *flags) as here:
        (tmp_path / "b").mkdir(mode=0o700)
        shutil.copy2(tmp_path / "a" / "root.key", tmp_path / "b" / "root.key")
        with Server(tmp_path / "b", *flags) as there, here.channel() as near, there.channel() as far:
            operator = staff(near)
            rider = Rider(near, "near_rider")
            driver = Driver(far, "far_driver", operator, demo_city(operator))
            session = driver.session()
            session.go_online()
            session.report(STATION)

            ride = rider.request_ride()
            watch = Watch(rider, ride.id)
            offer = session.next_offer()
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

            assert state_name(driver.ride_call("MarkArrived", ride.id).state) == "ARRIVED"
            driver.ride_call("StartRide", ride.id, pin=ride.pin)
            completed = driver.ride_call("CompleteRide", ride.id)
            driver.ride_call("ConfirmCash", ride.id, received=completed.total)
            states = watch.states()
            order = ["REQUESTED", "OFFERING", "ASSIGNED", "ARRIVED", "IN_PROGRESS", "COMPLETED", "PAID"]
            assert [state for state in order if state in states] == order[states[0] != "REQUESTED" :], states
            assert check_invariants(operator) == []
