"""The client against octetd itself, over TLS: what its descriptors say, a login, a whole ride."""

import subprocess
import threading

import pytest
from client import Octet
from support.people import PASSWORD
from support.rides import OPERA, STATION, Driver, demo_city, rides, staff
from support.server import BUILD

RIDER_STEPS = 4


@pytest.fixture
def octet(server, tls, tmp_path):
    return Octet(tmp_path, server.tls_address, "--cacert", str(tls / "ca.pem"))


def text(point):
    return f"{point[0]},{point[1]}"


def log_in(octet, handle):
    registered = octet("identity", "register", "--handle", handle, "--password", PASSWORD)
    assert registered.code == 0, registered.error
    result = octet("login", handle, stdin=PASSWORD + "\n")
    assert result.code == 0, result.error


def test_descriptors_come_with_comments_and_policy(octet):
    assert "octet.rides.v1.RideService" in octet("list").out.splitlines()
    service = octet("describe", "RideService").out
    assert "// Lists the caller's rides, newest first." in service
    assert "option (octet.options.v1.policy) = {access: ACCESS_USER, mutates: true" in service
    request = octet("describe", "octet.rides.v1.GetRideRequest").out
    assert '[(octet.options.v1.rules) = {required: true, id_kind: "ride"}]' in request


def test_help_of_a_domain_comes_from_the_comments(octet):
    domain = octet("rides", "--help")
    assert domain.code == 0 and "Lists the caller's rides, newest first." in domain.out
    command = octet("rides", "request", "--help").out
    assert "usage: octet rides request QUOTE_ID --method METHOD" in command
    assert "Required. How the rider pays. One of cash, wallet, card." in command


def test_a_person_logs_in_and_out(octet):
    refused = octet("rides", "list")
    assert refused.code == 16 and "UNAUTHENTICATED" in refused.error
    log_in(octet, "cli_visitor")
    assert octet("rides", "list").json() == {}
    sessions = octet("identity", "list-sessions").json()["sessions"]
    assert [session["current"] for session in sessions] == [True]
    assert octet("logout").code == 0
    assert octet("rides", "list").code == 16


def test_a_login_after_many_failed_ones_solves_a_puzzle(octet):
    assert octet("identity", "register", "--handle", "cli_guessed", "--password", PASSWORD).code == 0
    for _ in range(5):
        assert octet("login", "cli_guessed", stdin="wrong\n").code == 16
    result = octet("login", "cli_guessed", stdin=PASSWORD + "\n")
    assert result.code == 0 and "solving a puzzle" in result.error, result.error
    assert octet("rides", "list").json() == {}


def test_errors_carry_reason_and_violations(octet):
    log_in(octet, "cli_erring")
    missing = octet("rides", "get", "ride_0000000000001")
    assert missing.code == 5 and "octet: NOT_FOUND" in missing.error
    wrong = octet("rides", "get", "user_0000000000001")
    assert wrong.code == 3 and "ride_id: " in wrong.error
    weak = octet("identity", "register", "--handle", "cli_weak", "--password", "short")
    assert weak.code == 3 and "reason: WEAK_PASSWORD" in weak.error


class Running:
    """The client at work in the background."""

    def __init__(self, octet, *arguments):
        self.process = subprocess.Popen(
            [BUILD.resolve() / "octet", *arguments, *octet.flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=octet.environment,
            cwd=octet.folder,
        )
        self.watchdog = threading.Timer(15, self.process.kill)
        self.watchdog.start()

    def line_with(self, wanted):
        for line in self.process.stdout:
            if wanted in line:
                return line
        raise AssertionError(f"ended without {wanted}")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        rest = self.process.stdout.read()
        code = self.process.wait()
        self.watchdog.cancel()
        return code, rest


def test_a_whole_ride(octet, server):
    log_in(octet, "cli_rider")
    with server.secure_channel() as channel:
        operator = staff(channel)
        driver = Driver(channel, "cli_driver", operator, demo_city(operator))
        session = driver.session()
        session.go_online()
        session.report(STATION)

        quotes = octet("rides", "estimate-fare", "--stops", text(STATION), "--stops", text(OPERA)).json()["quotes"]
        ride = octet("rides", "request", quotes[0]["id"], "--method", "cash").json()["id"]
        session.accept(session.next_offer())

        tracking = Running(octet, "rides", "track", ride)
        tracking.line_with("ASSIGNED")
        chat = Running(octet, "rides", "chat", ride)
        chat.say("I wear a red hat")
        chat.line_with("I wear a red hat")

        driver.ride_call("MarkArrived", ride)
        pin = octet("rides", "get", ride).json()["pin"]
        wrong = octet("rides", "start", ride, "--pin", pin)
        assert wrong.code != 0  # only the driver starts a ride
        driver.ride_call("StartRide", ride, pin=pin)
        tracking.line_with("IN_PROGRESS")
        for step in range(1, RIDER_STEPS + 1):
            part = step / RIDER_STEPS
            session.report(tuple(start + part * (end - start) for start, end in zip(STATION, OPERA, strict=True)))
        total = driver.ride_call("CompleteRide", ride).total
        code, rest = tracking.end()
        assert code == 0 and rest.endswith("the ride has ended\n")
        driver.ride_call("ConfirmCash", ride, received=total)

        receipt = octet("rides", "get-receipt", ride).json()
        assert int(receipt["total"]["minorUnits"]) == total.minor_units
        assert octet("rides", "list").json()["rides"][0]["state"] == "RIDE_STATE_PAID"
        code, _ = chat.end()
        assert code == 0
        assert rides("ride").RideState.Name(driver.ride_call("GetRide", ride).state) == "RIDE_STATE_PAID"
        session.finish()
