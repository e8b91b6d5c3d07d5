"""Staff's hands on deferred work: an advert's expiry, which is cancelled, given up and retried."""

import time

import grpc
import pytest
from support.board import BOARD, PROGRAM, ask, pin
from support.installation import Installation
from support.notices import DEMO_PASSWORD, FLAGS, await_that, inbox
from support.people import Person, outcome
from support.world import World

JOBS, KIND = "octet.jobs.v1.JobService", "pinboard.expire"
EMPTY = {"SQLite": "x''", "PostgreSQL": "'\\x'::bytea"}


@pytest.mark.parametrize("engine", EMPTY)
def test_what_was_given_up_is_retried_and_not_cancelled(tmp_path, engine, request):
    installation = Installation(tmp_path, engine, *FLAGS, program=PROGRAM)
    request.addfinalizer(installation.discard)
    world = World(installation.channel, 0)
    owner = Person(world.channel, "owner_of_jobs")
    advert = pin(owner, "A boat").id

    def staff():
        return Person(world.channel, "demo_ops", DEMO_PASSWORD, register=False)

    def jobs(**fields):
        return ask(staff(), f"{JOBS}/ListJobs", kind=KIND, **fields).jobs

    def cancel(key):
        return outcome(lambda: ask(staff(), f"{JOBS}/CancelJob", kind=KIND, key=key))[:2]

    (job,) = jobs()
    assert job.state == 1 and not job.id
    assert cancel(job.key) == (grpc.StatusCode.OK, None)
    assert jobs() == [] and cancel(job.key) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    # As if its last attempt had failed.
    columns = "kind, key, scheduled_for, attempts, payload, error, died_at"
    values = f"'{KIND}', '{job.key}', 1, 5, {EMPTY[engine]}, 'broken', {time.time_ns()}"
    dead = f"INSERT INTO octet_dead_timers ({columns}) VALUES ({values})"
    installation.kill(world, "server", meanwhile=[dead])
    assert cancel(job.key) == (grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")
    (given_up,) = jobs(dead=True)
    assert (given_up.state, given_up.error) == (3, "broken")
    owner = Person(world.channel, "owner_of_jobs", register=False)
    assert ask(owner, f"{BOARD}/GetAdvert", advert_id=advert).title == "A boat"
    ask(staff(), f"{JOBS}/RetryJob", job_id=given_up.id)
    await_that(lambda: inbox(owner), "the job is not done")
    assert [notice.kind for notice in inbox(owner)] == [KIND.replace("expire", "expired")]
    assert outcome(lambda: ask(owner, f"{BOARD}/GetAdvert", advert_id=advert))[0] == grpc.StatusCode.NOT_FOUND
    assert jobs() == jobs(dead=True) == []
    assert installation.stop() == 0
