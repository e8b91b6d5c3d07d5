"""A whole ride from the request to the receipt, whichever nodes its rider and its driver are connected to."""

import copy
import threading

import grpc

from . import stubs
from .notices import await_that
from .people import outcome
from .rides import RIDES, STATION, Conversation, check_invariants, rides

# Until others are shown what has happened.
PATIENCE_SECONDS = 120
# Until the end of all.
STREAM_SECONDS = 600
ORDER = ["REQUESTED", "OFFERING", "ASSIGNED", "ARRIVED", "IN_PROGRESS", "COMPLETED", "PAID"]


def state_name(state):
    return rides("ride").RideState.Name(state).removeprefix("RIDE_STATE_")


def on(person, channel):
    """The same person, with another connection."""
    moved = copy.copy(person)
    moved.channel = channel
    return moved


def north(metres):
    """A place so far from the station. A car cannot be 20 metres away in the next moment, but some centimetres."""
    return (STATION[0] + metres / 111_195, STATION[1])


class Watch:
    """Reads WatchRide in the background and keeps the states in order."""

    def __init__(self, person, ride_id, resume_token=""):
        request = rides("ride_service").WatchRideRequest(ride_id=ride_id, resume_token=resume_token)
        self.ride_id = ride_id
        self.responses = []
        self._call = person.stream(f"{RIDES}.RideService/WatchRide", request, timeout=STREAM_SECONDS)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for response in self._call:
                self.responses.append(response)
        except grpc.RpcError:
            pass

    def events(self):
        """The ride at each change so far."""
        return [
            response.snapshot if response.HasField("snapshot") else response.change
            for response in self.responses
            if response.WhichOneof("event")
        ]

    def states(self):
        """All of them, when the ride is over."""
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the watch did not end with the ride"
        return [state_name(event.state) for event in self.events()]

    def resumed_by(self, person):
        """What goes on after this one, whose node has gone."""
        self.states()
        token = [response.resume_token for response in self.responses if response.WhichOneof("event")][-1]
        return Watch(person, self.ride_id, token)


class Track:
    """Follows TrackRide in the background."""

    def __init__(self, rider, ride_id):
        request = rides("tracking_service").TrackRideRequest(ride_id=ride_id)
        self._call = rider.stream(f"{RIDES}.TrackingService/TrackRide", request, timeout=STREAM_SECONDS)
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
            seen = self._changed.wait_for(lambda: any(map(near, self._updates)), PATIENCE_SECONDS)
            assert seen, "the place was not seen"

    def await_end(self):
        with self._changed:
            has_ended = self._changed.wait_for(lambda: self.code is not None, PATIENCE_SECONDS)
            assert has_ended, "TrackRide must end with the ride"
            assert self.code == grpc.StatusCode.OK
            times = [(u.measured_at.seconds, u.measured_at.nanos) for u in self._updates if u.HasField("place")]
            assert times == sorted(times), "a place went back"


def check_whole(*watches):
    """What the watches have seen, one after the other: every change to the end of the ride, once and in order."""
    events = [event for watch in watches for event in watch.events()]
    states = [state_name(event.state) for event in events]
    # One whose offer has run out goes back to REQUESTED.
    first = min(map(ORDER.index, states))
    assert [state for state in ORDER if state in states] == ORDER[first:], states
    versions = [event.version for event in events]
    assert versions == list(range(versions[0], versions[0] + len(versions))), "each change once, in order"


def pin_of(rider, ride):
    """The PIN as it is now: with an offer that has run out it became another one."""
    return rider.ride_call("GetRide", ride.id).pin


def finish(driver, ride):
    """Ends a ride that is IN_PROGRESS."""
    completed = driver.ride_call("CompleteRide", ride.id)
    assert state_name(completed.state) == "COMPLETED"
    paid = driver.ride_call("ConfirmCash", ride.id, received=completed.total)
    assert state_name(paid.state) == "PAID"


def check_receipt(rider, operator, ride):
    receipt = rider.ride_call("GetReceipt", ride.id)
    assert sum(line.amount.minor_units for line in receipt.lines) == receipt.total.minor_units > 0
    assert operator.ride_call("RecomputeFare", ride.id).SerializeToString(deterministic=True) == (
        receipt.SerializeToString(deterministic=True)
    )


def say_hello(rider, driver, ride):
    """The rider writes to the driver."""
    frames, chat = rides("ride_service"), stubs.module("octet.chat.v1.frames_pb2")
    chats = [Conversation(person, f"{RIDES}.RideService/RideChat") for person in (rider, driver)]
    for conversation in chats:
        join = chat.ClientFrame(join=chat.Join())
        conversation.send(frames.RideChatRequest(ride_id=ride.id, frame=join))
        conversation.next(lambda response: response.frame.HasField("joined"))
    post = chat.Post(request_id="8a5be9a3-29a9-4d0d-9a52-0a3b5bb6d2ee", text="By the clock")
    chats[0].send(frames.RideChatRequest(ride_id=ride.id, frame=chat.ClientFrame(post=post)))
    heard = chats[1].next(lambda response: response.frame.HasField("message")).frame.message
    assert (heard.number, heard.text, heard.author_id) == (1, "By the clock", rider.user_id)
    for conversation in chats:
        conversation.finish()


def play(rider, driver, operator, elsewhere=None):
    """The first ride of the rider. The driver's calls go by the channel `elsewhere`, away from the session, if given."""
    session = driver.session_at(STATION)

    ride = rider.request_ride()
    assert state_name(ride.state) == "REQUESTED" and len(ride.pin) == 4
    watch, track = Watch(rider, ride.id), Track(rider, ride.id)

    accepted = session.take_offer(ride.id)
    assert accepted.ride.driver.display_name == driver.handle
    assert accepted.ride.pin == "", "a driver must not see the PIN"
    say_hello(rider, driver, ride)

    session.drive_to(north(20))
    track.await_place(north(20))
    moved = on(driver, elsewhere or driver.channel)
    assert state_name(moved.ride_call("MarkArrived", ride.id).state) == "ARRIVED"
    pin = pin_of(rider, ride)
    wrong = f"{(int(pin) + 1) % 10000:04}"
    code, reason, _ = outcome(lambda: moved.ride_call("StartRide", ride.id, pin=wrong))
    assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "WRONG_PIN")
    started = moved.ride_call("StartRide", ride.id, pin=pin)
    assert state_name(started.state) == "IN_PROGRESS"
    for metres in (20.01, 20.02, 20.03):
        session.report(north(metres))
        track.await_place(north(metres))
    await_that(
        lambda: session.report(north(20.04)).ack.presence == rides("driver").PRESENCE_ON_TRIP,
        "the session's node has not seen that the ride began",
    )
    finish(driver, ride)
    track.await_end()

    check_receipt(rider, operator, ride)
    watch.states()
    check_whole(watch)
    frames = rides("ride_service")
    listed = rider.call(f"{RIDES}.RideService/ListRides", frames.ListRidesRequest(side=frames.RIDE_SIDE_RIDER))
    assert [entry.id for entry in listed.rides] == [ride.id]
    assert check_invariants(operator) == []
