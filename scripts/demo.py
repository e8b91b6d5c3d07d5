"""Plays a whole ride with a rider's and a driver's client over TLS, prints what happens, and audits the result.

Uses the server of `make run` if it is running (its CA is var/tls/ca.pem), or starts one with demo data in a
temporary folder and stops it again.
"""

import contextlib
import pathlib
import socket
import sys
import tempfile
import threading
import uuid

import grpc

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Tests"))

from support import stubs  # noqa: E402
from support.rides import (  # noqa: E402
    OPERA,
    RIDES,
    STATION,
    Conversation,
    Driver,
    Rider,
    check_invariants,
    demo_city,
    rides,
    staff,
)
from support.server import Server, make_certificate  # noqa: E402

RUNNING = ("127.0.0.1", 8443)
STEPS = 8


def say(who, text):
    print(f"{who:>7}  {text}", flush=True)


def money(amount):
    return f"{amount.minor_units / 100:.2f} {amount.currency_code}"


def state_name(state):
    return rides("ride").RideState.Name(state).removeprefix("RIDE_STATE_")


@contextlib.contextmanager
def a_server():
    """Gives a function that opens TLS channels to a running server."""
    ca = ROOT / "var" / "tls" / "ca.pem"
    try:
        socket.create_connection(RUNNING, timeout=1).close()
        running = ca.exists()
    except OSError:
        running = False
    if running:
        say("demo", f"using the server at {RUNNING[0]}:{RUNNING[1]}")
        credentials = grpc.ssl_channel_credentials(ca.read_bytes())
        yield lambda: grpc.secure_channel(f"{RUNNING[0]}:{RUNNING[1]}", credentials)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        with Server(work / "data", "--seed-demo", tls=make_certificate(work / "tls")) as server:
            say("demo", f"started a server at {server.tls_address}")
            yield server.secure_channel


def watch(rider, ride_id):
    """Prints every change of the ride until it ends."""
    request = rides("ride_service").WatchRideRequest(ride_id=ride_id)
    for response in rider.stream(f"{RIDES}.RideService/WatchRide", request, timeout=120):
        if event := response.WhichOneof("event"):
            ride = getattr(response, event)
            say("rider", f"{event}: {state_name(ride.state)} (version {ride.version})")


def track(rider, ride_id, moved):
    """Prints every position until the ride ends."""
    request = rides("tracking_service").TrackRideRequest(ride_id=ride_id)
    for update in rider.stream(f"{RIDES}.TrackingService/TrackRide", request, timeout=120):
        if update.HasField("place"):
            left = f", {update.distance_left_m} m to go" if update.HasField("distance_left_m") else ""
            say("rider", f"sees the car at {update.place.latitude:.4f}, {update.place.longitude:.4f}{left}")
            moved.release()


def chat(ride_id, rider, driver):
    frames, service = stubs.module("octet.chat.v1.frames_pb2"), rides("ride_service")

    def frame(**fields):
        return service.RideChatRequest(ride_id=ride_id, frame=frames.ClientFrame(**fields))

    rooms = [Conversation(person, f"{RIDES}.RideService/RideChat") for person in (rider, driver)]
    for room in rooms:
        room.send(frame(join=frames.Join()))
        room.next(lambda response: response.frame.HasField("joined"))
    for speaker, listener, name, text in (
        (rooms[0], rooms[1], "rider", "I am at the main entrance"),
        (rooms[1], rooms[0], "driver", "Two minutes"),
    ):
        speaker.send(frame(post=frames.Post(request_id=str(uuid.uuid4()), text=text)))
        heard = listener.next(
            lambda response: response.frame.HasField("message") and response.frame.message.text == text
        )
        say(name, f"says “{heard.frame.message.text}” (message {heard.frame.message.number})")
    for room in rooms:
        room.finish()


def drive(session, moved):
    """Moves the car toward the opera, each step once the rider has seen the one before."""
    for step in range(1, STEPS + 1):
        share = step / STEPS * 0.01  # Ten metres a step or so: no car outruns the filter of impossible speeds.
        session.report(tuple(a + (b - a) * share for a, b in zip(STATION, OPERA)))
        moved.acquire(timeout=5)


def main():
    tag = uuid.uuid4().hex[:6]
    with a_server() as channel:
        operator = staff(channel())
        rider = Rider(channel(), f"rider_{tag}")
        driver = Driver(channel(), f"driver_{tag}", operator, demo_city(operator))
        say("demo", f"registered {rider.handle} and {driver.handle}; documents reviewed by demo_ops")

        session = driver.session()
        session.go_online()
        session.report(STATION)
        say("driver", "is online at the railway station")

        quote = rider.quote()
        say("rider", f"is quoted {money(quote.total)} for {quote.distance_m} m")
        ride = rider.request_ride(rider.request_for(quote))
        say("rider", f"requests {ride.id}, PIN {ride.pin}")
        watcher = threading.Thread(target=watch, args=(rider, ride.id))
        watcher.start()

        offer = session.next_offer()
        say("driver", f"is offered the ride, to earn {money(offer.earnings)}")
        session.accept(offer)
        chat(ride.id, rider, driver)
        driver.ride_call("MarkArrived", ride.id)
        driver.ride_call("StartRide", ride.id, pin=ride.pin)
        moved = threading.Semaphore(0)
        tracker = threading.Thread(target=track, args=(rider, ride.id, moved))
        tracker.start()
        drive(session, moved)
        completed = driver.ride_call("CompleteRide", ride.id)
        driver.ride_call("ConfirmCash", ride.id, received=completed.total)
        watcher.join()
        tracker.join()

        receipt = rider.ride_call("GetReceipt", ride.id)
        for line in receipt.lines:
            kind = rides("pricing").FareLineKind.Name(line.kind).removeprefix("FARE_LINE_KIND_").lower()
            say("receipt", f"{kind:<9} {money(line.amount):>12}")
        say("receipt", f"{'total':<9} {money(receipt.total):>12}")
        session.cancel()
        broken = check_invariants(operator)
        for report in broken:
            say("audit", f"invariant {report.number} is broken {report.violations} times: {report.statement}")
        if broken:
            sys.exit(1)
        say("audit", "all invariants hold")


if __name__ == "__main__":
    main()
