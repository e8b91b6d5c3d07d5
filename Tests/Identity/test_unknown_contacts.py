"""Acceptance 1 of platform.md: whether somebody has a contact shows neither in a reply nor in the time that it takes."""

import contextlib
import itertools
import sqlite3
import statistics
import time

import grpc
import pytest
from support.codes import account_call, proved_person
from support.notices import FLAGS
from support.people import PASSWORD, Stranger, log_in, outcome
from support.server import Server

TOLERANCE = 0.05
# So many pairs of calls, and no more rounds of them. Hashing is nearly all that registering and logging in cost, and costs the
# same each time; of calls that do not hash it takes more to know one that costs as much as another.
HASHING = {"pairs": 8, "rounds": 20}
QUICK = {"pairs": 40, "rounds": 50}
# Letters go out behind the reply, and only where somebody is who gets one: they are held for an hour, in nanoseconds.
HOLD_LETTERS = """
  CREATE TRIGGER held_letters AFTER INSERT ON octet_timers WHEN NEW.kind = 'notify.letter.mail' BEGIN
    UPDATE octet_timers SET due = due + 3600000000000 WHERE kind = NEW.kind AND key = NEW.key;
  END"""
# Done by way around the server: one contact gets a code a minute, and a code five wrong tries.
FORGET = """
  BEGIN IMMEDIATE;
  DELETE FROM identity_code_sends;
  UPDATE identity_codes SET wrong_tries = 0;
  DELETE FROM octet_timers WHERE kind = 'notify.letter.mail';
  COMMIT"""
# Nothing of it need outlive the machine, and the server tidies the log.
WAY_AROUND = "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0"
OK = (grpc.StatusCode.OK, None)


class Meter:
    """What calls cost the server in processor time: others have the machine as well."""

    def __init__(self, server):
        # As clock_getcpuclockid makes it, which Python has not.
        self._clock = ~server.process.pid << 3 | 2

    def _cost(self, call):
        before = time.clock_gettime_ns(self._clock)
        result = call()
        return time.clock_gettime_ns(self._clock) - before, result

    def compare(self, call, known, unknown, wanted, pairs, rounds, prepare=lambda: None):
        """Calls in turn with what `known` and `unknown` make, until both have cost the same; `prepare` goes before each call and
        costs nothing. Neighbours are compared: what makes all dearer for a while does so to both."""
        costs = ([], [])
        for _ in range(rounds):
            for number in range(pairs):
                sides = list(enumerate((known(), unknown())))
                # The other way round each time, so that both come after calls of the same kind, as what one leaves the server to
                # do falls to the next.
                for side, address in reversed(sides) if number % 2 else sides:
                    prepare()
                    taken, result = self._cost(lambda address=address: outcome(lambda: call(address))[:2])
                    assert result == wanted
                    costs[side].append(taken)
            medians = [statistics.median(side) for side in costs]
            apart = statistics.median(a - b for a, b in zip(*costs, strict=True))
            if abs(apart) <= TOLERANCE * min(medians):
                return
        raise AssertionError(f"{call.__name__}: {medians} ns, {apart} ns apart")


@pytest.mark.alone
def test_acceptance_1_registering_and_failing_a_login_take_the_same_time(tmp_path):
    email = "fay@example.org"
    with Server(tmp_path, *FLAGS) as server:
        channel = server.channel()
        proved_person(channel, tmp_path / "spool", "fay_c", email)
        meter, stranger, numbers, failures = Meter(server), Stranger(channel), itertools.count(), itertools.count()

        def register(address):
            return account_call(stranger, "Register", handle=f"user_{next(numbers)}", password=PASSWORD, email=address)

        def fail(address):
            return log_in(stranger, address, "wrong")

        def forgiven():
            """The contact again. A login takes its failures back now and then: five would bring a challenge."""
            if next(failures) % 4 == 0:
                log_in(stranger, email)
            return email

        def unknown():
            return f"nobody{next(numbers)}@example.org"

        meter.compare(register, lambda: email, unknown, OK, **HASHING)
        meter.compare(fail, forgiven, unknown, (grpc.StatusCode.UNAUTHENTICATED, "WRONG_CREDENTIALS"), **HASHING)


@pytest.mark.alone
def test_acceptance_1_asking_for_a_reset_code_and_trying_one_take_the_same_time(tmp_path):
    email, nobodys = "fay@example.org", "ida@example.org"
    with Server(tmp_path, *FLAGS) as server, contextlib.closing(
        sqlite3.connect(tmp_path / "octet.db", timeout=300, isolation_level=None)
    ) as database:
        channel = server.channel()
        proved_person(channel, tmp_path / "spool", "fay_c", email)
        meter, stranger = Meter(server), Stranger(channel)
        database.executescript(WAY_AROUND)
        database.execute(HOLD_LETTERS)

        def send(address):
            return account_call(stranger, "SendResetCode", email=address)

        def reset(address):
            return account_call(stranger, "ResetPassword", email=address, code="0" * 20, new_password=PASSWORD)

        def prepare():
            database.executescript(FORGET)

        sides = (lambda: email), (lambda: nobodys)
        meter.compare(send, *sides, OK, **QUICK, prepare=prepare)
        meter.compare(reset, *sides, (grpc.StatusCode.PERMISSION_DENIED, "WRONG_CODE"), **QUICK, prepare=prepare)
