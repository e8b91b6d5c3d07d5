"""Signed heads of the trail, one an hour, with servers that begin at instants of this test's choice."""

from support.board import PROGRAM, ask
from support.notices import FLAGS, await_that
from support.people import DEMO_PASSWORD, Person
from support.server import Server

AUDIT = "octet.audit.v1.AuditService"
BEGIN, HOUR, HEADS = 1_800_000_000, 3600, 3


def test_heads_are_listed_page_by_page_newest_first(tmp_path, engine_flags):
    for number in range(1, HEADS + 1):
        begin = {"BOARD_TIME": str(BEGIN + number * HOUR)}
        with Server(tmp_path, *FLAGS, *engine_flags, program=PROGRAM, env=begin) as server, server.channel() as channel:
            # Whoever looks is on record, so that there is something new to sign.
            ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)

            def listed(size=0, token="", ops=ops):
                return ask(ops, f"{AUDIT}/ListHeads", page_size=size, page_token=token)

            await_that(lambda count=number: len(listed().heads) == count, "no head is signed")
            turned, page = [], listed(size=1)
            while True:
                assert len(page.heads) == 1
                turned += page.heads
                if not page.next_page_token:
                    break
                page = listed(size=1, token=page.next_page_token)
            assert turned == list(listed().heads)
            assert [head.number for head in turned] == sorted({head.number for head in turned}, reverse=True)
