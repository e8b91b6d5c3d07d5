"""Acceptance line 9 of platform.md, with servers that begin at instants of this test's choice."""

import pytest
from support.board import PROGRAM, ask
from support.notices import FLAGS, SERVICE, announce, await_that, letters, notice, register_push, staff
from support.people import Person
from support.server import Server

HELSINKI = "Europe/Helsinki"
# 2026-03-29T01:00:00Z its clocks go from 03:00 to 04:00, 2026-10-25T01:00:00Z from 04:00 to 03:00. By day the quiet hours
# from 22:00 to 07:00 end at 04:00Z in summer, and at 05:00Z in winter.
CHANGES = {"spring": (1_774_746_000, 3 * 3600), "autumn": (1_792_890_000, 4 * 3600)}
# The first server has begun two hours before the change, and the second one so long before the end of the quiet hours.
BEFORE, JUST_BEFORE = 2 * 3600, 4
ALICE = "alice_sleeps"


def pushed(folder):
    return [name for name in letters(folder / "spool") if ".push." in name]


def deliveries(admin, user):
    """Those by push."""
    rows = ask(admin, f"{SERVICE}/ListDeliveries", user_id=user).deliveries
    return [row for row in rows if notice.Channel.Name(row.channel) == "CHANNEL_PUSH"]


@pytest.mark.parametrize("change", CHANGES)
def test_acceptance_9_push_waits_for_the_zones_instant_across_a_clock_change(tmp_path, engine_flags, change):
    instant, after = CHANGES[change]
    end = instant + after

    def server(begin):
        return Server(tmp_path, *FLAGS, *engine_flags, program=PROGRAM, env={"BOARD_TIME": str(begin)})

    with server(instant - BEFORE) as first, first.channel() as channel:
        alice, admin = Person(channel, ALICE), staff(channel)
        register_push(alice, "https://push.example/alice")
        profiles = "octet.identity.v1.ProfileService"
        ask(alice, f"{profiles}/SetPreferences", preferences={"time_zone": HELSINKI, "language": "en"})
        etag = ask(alice, f"{SERVICE}/GetChannels").etag
        hours = {"start_minute": 22 * 60, "end_minute": 7 * 60}
        ask(alice, f"{SERVICE}/SetChannels", etag=etag, quiet_hours=hours)
        announce(admin, [alice.user_id], "Good night")
        await_that(lambda: deliveries(admin, alice.user_id)[:1], "nobody is told")
        await_that(lambda: deliveries(admin, alice.user_id)[0].reason == "QUIET_HOURS", "push does not wait")
        (waiting,) = deliveries(admin, alice.user_id)
        assert (waiting.due_time.seconds, waiting.due_time.nanos) == (end, 0)
        assert pushed(tmp_path) == []
    with server(end - JUST_BEFORE) as second, second.channel() as channel:
        alice, admin = Person(channel, ALICE, register=False), staff(channel)
        await_that(lambda: deliveries(admin, alice.user_id)[0].HasField("settle_time"), "push waits for ever")
        (sent,) = deliveries(admin, alice.user_id)
        assert notice.DeliveryState.Name(sent.state) == "DELIVERY_STATE_SENT"
        assert sent.settle_time.seconds >= end, "push did not wait"
        assert len(pushed(tmp_path)) == 1
