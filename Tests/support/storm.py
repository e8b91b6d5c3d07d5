"""Riders and drivers who go on, whatever dies under them."""

import collections
import concurrent.futures
import queue
import random
import sys
import threading
import time
import traceback
import uuid

import grpc

from . import stubs
from .notices import await_that
from .people import request_id
from .rides import RIDES, STATION, Conversation, Driver, DriverSession, Rider, demo_city, estimate, rides, staff
from .world import BROKEN, CALL_SECONDS, PATIENCE_SECONDS, Refused, World

Said = collections.namedtuple("Said", "person ride_id number text")
RIDE_SERVICE = f"{RIDES}.RideService"


class RideWorld(World):
    """A world with rides."""

    def __init__(self, channel, seed):
        super().__init__(channel, seed)
        self.pins = {}
        self.changes_seen = 0
        self.rides_finished = 0

    def ride_call(self, person, method, ride_id, **fields):
        request = getattr(rides("ride_service"), f"{method}Request")(request_id=request_id(), ride_id=ride_id, **fields)
        return self.call(person, f"{RIDE_SERVICE}/{method}", request)

    def pin_of(self, ride_id):
        """A driver may be there before the rider has the answer that holds it."""
        await_that(lambda: ride_id in self.pins, f"the rider of {ride_id} has no PIN", PATIENCE_SECONDS)
        return self.pins[ride_id]

    def say(self, person, ride_id, text):
        """Posts to the chat of a ride until it is stored."""
        number = self.post(person, f"{RIDE_SERVICE}/RideChat", text, ride_id=ride_id)
        with self.lock:
            self.said.append(Said(person, ride_id, number, text))


class RideWatch:
    """Follows a ride over all cuts; every change must come, once. `changes` gets the rides, then None."""

    def __init__(self, world, rider, ride_id):
        self.world, self.rider, self.ride_id = world, rider, ride_id
        self.changes = queue.Queue()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        token, version = "", 0
        try:
            while not self.world.failures:
                request = rides("ride_service").WatchRideRequest(ride_id=self.ride_id, resume_token=token)
                # There is another since the server was killed, which nobody else may ask for on this rider's behalf.
                self.rider.channel = self.world.channel
                try:
                    call = self.rider.stream(f"{RIDE_SERVICE}/WatchRide", request, timeout=600)
                    for row in call:
                        kind = row.WhichOneof("event")
                        if kind is None:
                            continue
                        ride = getattr(row, kind)
                        if token and (kind == "snapshot" or ride.version != version + 1):
                            raise AssertionError(f"{self.ride_id}: {kind} {ride.version} came after {version}")
                        token, version = row.resume_token, ride.version
                        self.world.changes_seen += 1
                        self.changes.put(ride)
                    return
                except grpc.RpcError as error:
                    if error.code() == grpc.StatusCode.UNAUTHENTICATED:
                        self.world.log_in(self.rider)
                    elif error.code() not in BROKEN:
                        raise
                except ValueError:
                    pass  # The channel was closed.
                time.sleep(0.02)
        except Exception as failure:
            self.world.fail(f"watching: {failure!r}")
        finally:
            self.changes.put(None)

    def next(self, timeout):
        """The next change; None at the end. Throws queue.Empty if nothing happens in time."""
        return self.changes.get(timeout=timeout)


def state_of(ride):
    return rides("ride").RideState.Name(ride.state).removeprefix("RIDE_STATE_")


FINAL = {"PAID", "NO_DRIVER", "NO_SHOW", "CANCELLED_BY_RIDER", "CANCELLED_BY_STAFF"}


class RidingRider:
    """Requests rides; cancels most of them at once, and waits for a driver in the others."""

    def __init__(self, world, person):
        self.world, self.person = world, person
        self.rng = random.Random(world.rng.random())

    def run(self):
        while not self.world.is_over.is_set():
            quote = self.world.call(self.person, f"{RIDES}.PricingService/EstimateFare", estimate()).quotes[0]
            ride = self.world.call(self.person, f"{RIDE_SERVICE}/RequestRide", self.person.request_for(quote))
            self.world.pins[ride.id] = ride.pin
            if self.rng.random() < 0.3 or not self.cancel(ride.id):
                self.ride(ride.id)

    def cancel(self, ride_id):
        try:
            self.world.ride_call(self.person, "CancelRide", ride_id)
            return True
        except Refused as refusal:
            # A driver was faster: the ride has begun, or is over.
            assert refusal.reason == "WRONG_STATE", refusal
            return False

    def ride(self, ride_id):
        watch = RideWatch(self.world, self.person, ride_id)
        patience = time.monotonic() + self.rng.uniform(2, 8)
        has_spoken, state = False, "REQUESTED"
        while state not in FINAL:
            try:
                ride = watch.next(timeout=0.5)
            except queue.Empty:
                is_waiting = state in ("REQUESTED", "OFFERING")
                # Whoever waits in vain, or as the evening ends, gives up; a ride that has begun is finished. Some are to
                # come to that, however slow the machine.
                is_in_vain = time.monotonic() > patience and self.world.rides_finished
                if is_waiting and (is_in_vain or self.world.is_over.is_set()):
                    self.cancel(ride_id)
                    patience = time.monotonic() + 60
                continue
            if ride is None:
                return
            state = state_of(ride)
            if ride.pin:
                self.world.pins[ride_id] = ride.pin
            if state == "ASSIGNED" and not has_spoken:
                has_spoken = True
                self.world.say(self.person, ride_id, f"rider w{uuid.uuid4().hex}")


class KeepingSession(DriverSession):
    """Gives a silent server up soon: the driver begins another."""

    wait_seconds = CALL_SECONDS


class DrivingDriver:
    """Takes offers and drives the rides to their ends."""

    def __init__(self, world, person):
        self.world, self.person = world, person
        self.rng = random.Random(world.rng.random())
        self.session = None

    def run(self):
        while not self.world.failures:
            try:
                return self.work()
            except (EOFError, queue.Empty):
                # The session was cut, or the server is silent; begin another.
                if self.session is not None:
                    self.session.cancel()
                    error = self.session.error
                    if isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.UNAUTHENTICATED:
                        self.world.log_in(self.person)
                time.sleep(0.05)

    def work(self):
        """One session; returns when all is over and no ride is left to be driven."""
        self.person.channel = self.world.channel
        try:
            self.session = KeepingSession(self.person)
        except ValueError:
            raise EOFError("the channel was closed") from None
        state = self.session.next(lambda row: row.WhichOneof("event") == "state").state
        if state.HasField("ride"):
            self.drive(state.ride)
        if state.HasField("offer"):
            self.session.offers.append(state.offer)
        while not self.world.is_over.is_set():
            if self.session.go_online().refusal.code != grpc.StatusCode.UNAVAILABLE.value[0]:
                break
            # The database is not quite back.
            time.sleep(0.05)
        # An offer that may be taken already is asked for until that is known.
        while not self.world.is_over.is_set() or self.session.offers:
            self.session.report(STATION)
            offer = self.session.offers.popleft() if self.session.offers else self.look_for_offer()
            if offer is not None:
                answer = self.session.accept(offer)
                if answer.WhichOneof("event") == "ack":
                    self.drive(answer.ack.ride)
                elif answer.refusal.code == grpc.StatusCode.UNAVAILABLE.value[0]:
                    self.session.offers.append(offer)
        self.session.finish()

    def look_for_offer(self):
        try:
            row = self.session.received.get(timeout=0.5)
        except queue.Empty:
            return None
        if row is None:
            raise EOFError("the session was cut")
        return row.offer if row.WhichOneof("event") == "offer" else None

    def drive(self, ride):
        """From the state that the ride is in to the payment."""
        try:
            state = state_of(ride)
            if state == "ASSIGNED":
                self.arrive(ride.id)
                if self.rng.random() < 0.5:
                    self.world.say(self.person, ride.id, f"driver w{uuid.uuid4().hex}")
            if state in ("ASSIGNED", "ARRIVED"):
                self.world.ride_call(self.person, "StartRide", ride.id, pin=self.world.pin_of(ride.id))
            if state in ("ASSIGNED", "ARRIVED", "IN_PROGRESS"):
                ride = self.world.ride_call(self.person, "CompleteRide", ride.id)
            paid = self.world.ride_call(self.person, "ConfirmCash", ride.id, received=ride.outstanding)
            assert state_of(paid) == "PAID", paid
            self.world.rides_finished += 1
        except Refused as refusal:
            # The rider was faster and cancelled.
            assert refusal.reason == "WRONG_STATE", refusal

    def arrive(self, ride_id):
        """Positions are kept in memory between two checkpoints: one that was lost is reported again."""
        while True:
            try:
                return self.world.ride_call(self.person, "MarkArrived", ride_id)
            except Refused as refusal:
                if refusal.reason != "TOO_FAR":
                    raise
                self.session.report(STATION)


def where(thread):
    """What a thread is at."""
    return f"{thread.name}:\n" + "".join(traceback.format_stack(sys._current_frames()[thread.ident]))


class Crowd:
    """All the people, each in a thread of its own."""

    def __init__(self, world, riders, drivers):
        self.world = world
        self.operator = staff(world.channel)
        city = demo_city(self.operator)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            makers = [pool.submit(Rider, world.channel, f"storm_rider_{n}") for n in range(riders)]
            makers += [pool.submit(Driver, world.channel, f"storm_driver_{n}", self.operator, city)
                       for n in range(drivers)]  # fmt: skip
            people = [maker.result() for maker in makers]
        self.riders, self.drivers = people[:riders], people[riders:]
        actors = [RidingRider(world, person) for person in self.riders]
        actors += [DrivingDriver(world, person) for person in self.drivers]
        self.threads = [threading.Thread(target=self._run, args=(actor,), name=actor.person.handle, daemon=True)
            for actor in actors]
        for thread in self.threads:
            thread.start()

    def _run(self, actor):
        try:
            actor.run()
        except Exception as failure:
            self.world.fail(f"{type(actor).__name__} {actor.person.handle}: {failure!r}")

    def finish(self):
        """Lets everybody end what they are at."""
        self.world.is_over.set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for thread in self.threads:
            thread.join(max(0, deadline - time.monotonic()))
        stuck = [where(thread) for thread in self.threads if thread.is_alive()]
        assert not stuck, "these wait for ever:\n" + "\n".join(stuck)


def spoken_in(person, ride_id):
    """The messages of a ride's chat, as a newcomer sees them."""
    chat, frames = stubs.module("octet.chat.v1.frames_pb2"), rides("ride_service")
    conversation = Conversation(person, f"{RIDE_SERVICE}/RideChat", timeout=CALL_SECONDS)
    conversation.send(frames.RideChatRequest(ride_id=ride_id, frame=chat.ClientFrame(join=chat.Join())))
    try:
        joined = conversation.next(lambda row: row.frame.HasField("joined")).frame.joined
    except EOFError:
        if conversation.error is None:
            raise
        raise conversation.error from None
    conversation.finish()
    conversation.cancel()
    return joined.messages
