"""Acceptance lines 4 and 5 of platform.md: roles on one thing, here a section of the board."""

import grpc
from support.authorization.answers import make_request
from support.board import BOARD, PROGRAM, ask, pin
from support.notices import FLAGS
from support.people import Person, outcome, request_id
from support.server import Server

ROLES = "octet.identity.v1.RoleService"
OK, DENIED = (grpc.StatusCode.OK, None), (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
LAST_OWNER = (grpc.StatusCode.FAILED_PRECONDITION, "LAST_OWNER")
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
# When the first server begins, and for how long an editor is one from then on.
BEGIN, HOUR = 1_800_000_000, 3600


def code_of(call):
    return outcome(call)[:2]


def open_section(channel, person):
    """A section, and its owner with a token that names the role."""
    section = ask(person, f"{BOARD}/OpenSection", title="Bicycles").id
    return section, Person(channel, person.handle, register=False)


def give(giver, person, role, section, **fields):
    return ask(giver, f"{ROLES}/GrantRole", user_id=person.user_id, role=role, resource_id=section, **fields)


def test_acceptance_4_an_editor_acts_on_no_other_section_and_on_none_a_second_after_the_end(tmp_path, engine_flags):
    def server(begin):
        return Server(tmp_path, *FLAGS, *engine_flags, program=PROGRAM, env={"BOARD_TIME": str(begin)})

    def clear(person, section):
        advert = pin(person, "A bell", section_id=section).id
        return code_of(lambda: ask(person, f"{BOARD}/ClearAdvert", advert_id=advert))

    with server(BEGIN) as first, first.channel() as channel:
        mine, owner = open_section(channel, Person(channel, "owner_here"))
        other, _ = open_section(channel, Person(channel, "owner_there"))
        editor = Person(channel, "editor_here")
        give(owner, editor, "pinboard.editor", mine, expire_time={"seconds": BEGIN + HOUR})
        assert (clear(editor, mine), clear(editor, other)) == (OK, DENIED)
    with server(BEGIN + HOUR // 2) as second, second.channel() as channel:
        assert clear(Person(channel, "editor_here", register=False), mine) == OK
    with server(BEGIN + HOUR + 1) as third, third.channel() as channel:
        assert clear(Person(channel, "editor_here", register=False), mine) == DENIED


def test_acceptance_5_of_two_owners_who_take_each_others_role_at_once_one_is_told_last_owner(board):
    with board.channel() as channel:
        section, first = open_section(channel, Person(channel, f"o_{request_id()[:8]}"))
        second = Person(channel, f"o_{request_id()[:8]}")
        given = give(first, second, "pinboard.owner", section).id
        own = next(each.id for each in listed(first, section) if each.user_id == first.user_id)
        second = Person(channel, second.handle, register=False)
        calls = [
            owner.begin(f"{ROLES}/RevokeRole", make_request(f"{ROLES}/RevokeRole", {"grant_id": grant}))
            for owner, grant in ((first, given), (second, own))
        ]
        codes = {code_of(call.result) for call in calls}
        # If one was over before the other had begun, that is a stranger's.
        assert codes in ({OK, LAST_OWNER}, {OK, NOT_FOUND})
        (left,) = [owner for owner in (first, second) if ask(owner, f"{ROLES}/ListRoles").grants]
        (last,) = listed(left, section)
        assert code_of(lambda: ask(left, f"{ROLES}/RevokeRole", grant_id=last.id)) == LAST_OWNER


def listed(owner, section):
    return ask(owner, f"{ROLES}/ListRoles", resource_id=section).grants
