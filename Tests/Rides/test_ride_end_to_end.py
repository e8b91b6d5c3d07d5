"""A whole ride over TLS with two foreign clients, from the quote to the receipt."""

import threading

import grpc
import pytest

from support import stubs
from support.people import outcome
from support.rides import RIDES, STATION, Conversation, Driver, Rider, check_invariants, demo_city, rides, staff


@pytest.fixture(scope="module")
def operator(server):
    return staff(server.secure_channel())


@pytest.fixture(scope="module")
def rider(server):
    return Rider(server.secure_channel(), "e2e_rider")


@pytest.fixture(scope="module")
def driver(server, operator):
    return Driver(server.secure_channel(), "e2e_driver", operator, demo_city(operator))


def state_name(state):
    return rides("ride").RideState.Name(state).removeprefix("RIDE_STATE_")


class Watch:
    """Reads WatchRide in the background and keeps the states in order."""

    def __init__(self, person, ride_id, resume_token=""):
        request = rides("ride_service").WatchRideRequest(ride_id=ride_id, resume_token=resume_token)
        self.responses = []
        self._call = person.stream(f"{RIDES}.RideService/WatchRide", request, timeout=120)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for response in self._call:
                self.responses.append(response)
        except grpc.RpcError:
            pass

    def states(self):
        self._thread.join(20)
        assert not self._thread.is_alive(), "the watch did not end with the ride"
        events = [response.snapshot if response.HasField("snapshot") else response.change for response in self.responses
                  if response.WhichOneof("event")]  # fmt: skip
        return [state_name(event.state) for event in events]


def test_a_whole_ride(server, operator, rider, driver):
    session = driver.session()
    session.go_online()
    session.report(STATION)

    ride = rider.request_ride()
    assert state_name(ride.state) == "REQUESTED" and len(ride.pin) == 4
    watch = Watch(rider, ride.id)

    offer = session.next_offer()
    assert offer.ride_id == ride.id and offer.earnings.minor_units > 0
    accepted = session.accept(offer)
    assert accepted.WhichOneof("event") == "ack", accepted
    assert accepted.ack.ride.driver.display_name == "e2e_driver"
    assert accepted.ack.ride.pin == "", "a driver must not see the PIN"

    chat_path = f"{RIDES}.RideService/RideChat"
    chats = [Conversation(person, chat_path) for person in (rider, driver)]
    frames = rides("ride_service")
    chat = stubs.module("octet.chat.v1.frames_pb2")
    for conversation in chats:
        conversation.send(
            frames.RideChatRequest(ride_id=ride.id, frame=chat.ClientFrame(join=chat.Join()))
        )
        conversation.next(lambda response: response.frame.HasField("joined"))
    chats[0].send(
        frames.RideChatRequest(
            ride_id=ride.id,
            frame=chat.ClientFrame(post=chat.Post(request_id="8a5be9a3-29a9-4d0d-9a52-0a3b5bb6d2ee", text="By the clock")),
        )
    )
    heard = chats[1].next(lambda response: response.frame.HasField("message")).frame.message
    assert (heard.number, heard.text, heard.author_id) == (1, "By the clock", rider.user_id)
    for conversation in chats:
        conversation.finish()

    arrived = driver.ride_call("MarkArrived", ride.id)
    assert state_name(arrived.state) == "ARRIVED"
    code, reason, _ = outcome(lambda: driver.ride_call("StartRide", ride.id, pin=f"{(int(ride.pin) + 1) % 10000:04}"))
    assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "WRONG_PIN")
    started = driver.ride_call("StartRide", ride.id, pin=ride.pin)
    assert state_name(started.state) == "IN_PROGRESS"

    tracking = rides("tracking_service").TrackRideRequest(ride_id=ride.id)
    track = rider.stream(f"{RIDES}.TrackingService/TrackRide", tracking, timeout=60)
    seen = threading.Event()
    places = []

    def follow():
        for update in track:
            if update.HasField("place"):
                places.append((update.place.latitude, update.place.longitude))
                seen.set()

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    session.report(STATION)
    assert seen.wait(20), "no position reached the rider"

    completed = driver.ride_call("CompleteRide", ride.id)
    assert state_name(completed.state) == "COMPLETED"
    paid = driver.ride_call("ConfirmCash", ride.id, received=completed.total)
    assert state_name(paid.state) == "PAID"
    follower.join(20)
    assert not follower.is_alive(), "TrackRide must end with the ride"
    assert places

    receipt = rider.ride_call("GetReceipt", ride.id)
    assert sum(line.amount.minor_units for line in receipt.lines) == receipt.total.minor_units > 0
    assert operator.ride_call("RecomputeFare", ride.id).SerializeToString(deterministic=True) == (
        receipt.SerializeToString(deterministic=True)
    )
    states = watch.states()
    order = ["REQUESTED", "OFFERING", "ASSIGNED", "ARRIVED", "IN_PROGRESS", "COMPLETED", "PAID"]
    assert [state for state in order if state in states] == order[states[0] != "REQUESTED" :], states
    listed = rider.call(f"{RIDES}.RideService/ListRides", frames.ListRidesRequest(side=frames.RIDE_SIDE_RIDER))
    assert [entry.id for entry in listed.rides] == [ride.id]
    assert check_invariants(operator) == []


def test_a_stranger_sees_nothing(server, rider):
    ride = rider.request_ride()
    stranger = Rider(server.channel(), "e2e_stranger")
    tracking = rides("tracking_service").TrackRideRequest(ride_id=ride.id)
    watching = rides("ride_service").WatchRideRequest(ride_id=ride.id)
    for call in (
        lambda: stranger.ride_call("GetRide", ride.id),
        lambda: stranger.ride_call("CancelRide", ride.id),
        lambda: stranger.ride_call("GetReceipt", ride.id),
        lambda: next(stranger.stream(f"{RIDES}.TrackingService/TrackRide", tracking)),
        lambda: next(stranger.stream(f"{RIDES}.RideService/WatchRide", watching)),
    ):
        assert outcome(call)[0] == grpc.StatusCode.NOT_FOUND
    cancelled = rider.ride_call("CancelRide", ride.id)
    assert state_name(cancelled.state) == "CANCELLED_BY_RIDER"


def test_a_watch_resumes_without_gap_or_repeat(server, rider):
    ride = rider.request_ride()
    request = rides("ride_service").WatchRideRequest(ride_id=ride.id)
    call = rider.stream(f"{RIDES}.RideService/WatchRide", request, timeout=60)
    first = next(call)
    assert first.HasField("snapshot")
    call.cancel()
    rider.ride_call("CancelRide", ride.id)
    resumed = Watch(rider, ride.id, first.resume_token)
    states = resumed.states()
    assert states[-1] == "CANCELLED_BY_RIDER"
    assert all(not response.HasField("snapshot") for response in resumed.responses)


def test_bad_coordinates_name_each_field(rider):
    pricing = rides("pricing_service")
    types = stubs.module("octet.type.v1.types_pb2")
    request = pricing.EstimateFareRequest(
        request_id="9f1e3a36-6d0a-4b86-8d2a-5b5b4b2f6f11",
        stops=[types.LatLng(latitude=91, longitude=0), types.LatLng(latitude=float("nan"), longitude=181)],
    )
    with pytest.raises(grpc.RpcError) as error:
        rider.call(f"{RIDES}.PricingService/EstimateFare", request)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    status = stubs.module("google.rpc.status_pb2").Status()
    details = stubs.module("google.rpc.error_details_pb2")
    status.ParseFromString(dict(error.value.trailing_metadata())["grpc-status-details-bin"])
    fields = set()
    for detail in status.details:
        bad = details.BadRequest()
        if detail.Is(details.BadRequest.DESCRIPTOR) and detail.Unpack(bad):
            fields = {violation.field for violation in bad.field_violations}
    assert fields == {"stops[0].latitude", "stops[1].latitude", "stops[1].longitude"}
