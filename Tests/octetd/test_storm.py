"""kill -9 of the server, and of the database under it, at random moments of a load on all modules at once, and on the
example domain, whose things are talked about.

After each kill all pause, and everybody looks whether what was acknowledged to them is there, once, and nothing else;
repeats get the replies that were given, topics are dense, the trail's chain verifies, and no module's invariant is broken.

OCTET_STORM_ROUNDS sets the number of rounds on each engine, a few by default (`make storm`: thirty), OCTET_STORM_SEED the
seed, which is printed.
"""

import os
import random
import statistics
import time

import pytest

from support.board import PROGRAM
from support.company import Company
from support.installation import FORTNIGHT, HOLES, MINUTE, VICTIMS, Installation
from support.notices import FLAGS, letters
from support.people import Stranger
from support.rides import RIDES, check_invariants, estimate
from support.stage import NOTIFY, SESSIONS, Stage
from support.storm import Crowd
from support.world import check_replays

ROUNDS = int(os.environ.get("OCTET_STORM_ROUNDS", "3"))
SEED = os.environ.get("OCTET_STORM_SEED")
MOST_WRITES = 150
ROUND_SECONDS = 15
SAMPLE = 30
# So much is there in vain, if something never is: in seconds, and in writes for a machine that is slow to do any.
FILL_SECONDS, FILL_WRITES = 300, 20_000
RIDERS, DRIVERS = 2, 1


def repeatable(entry):
    """Whose session has ended, or whose token was spent since, is not heard again."""
    return not entry.path.startswith(SESSIONS) and type(entry.person) is not Stranger


def check(stage, company, installation, since, rng):
    stage.pause()
    with stage.lock:
        acknowledged = [entry for entry in stage.acknowledged[since:] if repeatable(entry)]
        older = [entry for entry in stage.acknowledged[:since] if repeatable(entry)]
    check_replays(stage, acknowledged + rng.sample(older, min(SAMPLE, len(older))))
    company.verify()
    assert set(installation.query(HOLES)) <= company.topics_with_holes(), "topics with holes"
    stage.may_act.set()


def unsettled(stage):
    states = ("DELIVERY_STATE_QUEUED", "DELIVERY_STATE_DEFERRED")
    return [one for state in states for one in stage.ask(stage.admin, f"{NOTIFY}/ListDeliveries", state=state).deliveries]


def check_end(stage, company, folder):
    """What goes on after a call comes to its end: letters are sent once, closed accounts erased."""
    leaver = company.leaver
    stage.await_that(lambda: all(map(leaver.is_erased, leaver.closed)), "somebody is not erased")
    # What was announced is told in the background, and only then are there letters to be sent.
    company.herald.verify()
    stage.await_that(lambda: not unsettled(stage), "not all is sent")
    wanted = set(company.herald.letters())
    stage.await_that(lambda: not any(name.startswith(".") for name in letters(folder / "spool")), "half a letter")
    devices = tuple(f".push.{device}.json" for device in company.herald.devices.values())
    there = {name for name in letters(folder / "spool") if name.endswith(devices)}
    assert wanted <= there, "a letter was lost"
    company.verify()


def fill(stage, company):
    """Lets all go on until something is there that could break each invariant; ends in a pause."""
    deadline, enough = time.monotonic() + FILL_SECONDS, stage.count + FILL_WRITES
    while True:
        stage.pause()
        reports = company.reports()
        vacuous = [f"{report.domain}: {report.statement}" for report in reports if report.rows_checked == 0]
        if not vacuous:
            return
        may_go_on = time.monotonic() < deadline or stage.count < enough
        assert may_go_on, f"nothing is there that could break these: {vacuous}"
        stage.may_act.set()
        stage.wait_for(stage.count + MOST_WRITES, ROUND_SECONDS)


@pytest.mark.parametrize("engine", VICTIMS)
def test_all_modules_keep_what_they_acknowledged(tmp_path, engine, request):
    seed = int(SEED or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}")
    rng = random.Random(seed)
    installation = Installation(tmp_path, engine, *FLAGS, program=PROGRAM)
    request.addfinalizer(installation.discard)
    stage = Stage(installation.channel, seed)
    company = Company(stage, tmp_path / "spool")
    crowd = Crowd(stage, RIDERS, DRIVERS)
    stage.begin(company.actors)
    kills, recoveries = dict.fromkeys(VICTIMS[engine], 0), []
    for number in range(ROUNDS):
        since = len(stage.acknowledged)
        stage.wait_for(stage.count + rng.randrange(1, MOST_WRITES), ROUND_SECONDS)
        victim = VICTIMS[engine][number % len(VICTIMS[engine])]
        killed_at = time.monotonic()
        installation.kill(stage, victim, FORTNIGHT if victim == "database" else (*FORTNIGHT, MINUTE))
        kills[victim] += 1
        # Begun after the kill, unlike what is under way.
        stage.call(crowd.operator, f"{RIDES}.PricingService/EstimateFare", estimate())
        recoveries.append(time.monotonic() - killed_at)
        check(stage, company, installation, since, rng)
    stage.await_that(lambda: stage.rides_finished or stage.failures, "no ride comes to its end")
    fill(stage, company)
    stage.finish()
    crowd.finish()
    installation.execute(*FORTNIGHT)
    check_end(stage, company, tmp_path)
    assert stage.insist(crowd.operator, lambda: check_invariants(crowd.operator)) == []
    assert installation.stop() == 0
    print(
        f"{engine}, killed {kills}: {stage.count} acknowledged writes, {len(company.leaver.closed)} accounts erased,"
        f" {stage.rides_finished} rides to the end; written again after {statistics.median(recoveries):.1f} s,"
        f" at most {max(recoveries):.1f} s"
    )
