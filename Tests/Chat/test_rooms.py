"""Rooms through a real octetd: a user and support talk, members are told, what is doubtful is looked at."""

import threading

import grpc
import pytest
from support import stubs
from support.media import Uploader
from support.notices import DEMO_PASSWORD, FLAGS, await_that, inbox, roles
from support.people import Person, outcome, request_id
from support.rooms import RoomStream
from support.server import Server

SERVICE = "octet.chat.v1.ChatService"
LONGEST_FILE = 25 << 20
chat = stubs.module("octet.chat.v1.chat_service_pb2")
frames = stubs.module("octet.chat.v1.frames_pb2")
moderation = stubs.module("octet.social.v1.moderation_service_pb2")


@pytest.fixture(params=("SQLite", "PostgreSQL"))
def server(request, tmp_path):
    flags = [] if request.param == "SQLite" else ["--database", request.getfixturevalue("postgres").make_database()]
    with Server(tmp_path, *FLAGS, *flags) as server:
        yield server


def call(person, method, **fields):
    request = getattr(chat, f"{method}Request")(**fields)
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        request.request_id = request_id()
    return person.call(f"{SERVICE}/{method}", request)


def with_role(channel, role, handle):
    admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
    person = Person(channel, handle)
    grant = roles.GrantRoleRequest(request_id=request_id(), user_id=person.user_id, role=role)
    admin.call("octet.identity.v1.RoleService/GrantRole", grant)
    # The token names the grants of when it was made.
    return Person(channel, handle, register=False)


def test_a_user_and_support_talk(server):
    channel = server.channel()
    ada, agent = Person(channel, "ada_c"), with_role(channel, "support", "agent_c")
    room = call(ada, "OpenRoom", kind=chat.ROOM_KIND_SUPPORT)
    assert room.state == frames.ROOM_STATE_OPEN
    assert call(ada, "OpenRoom", kind=chat.ROOM_KIND_SUPPORT).id == room.id
    user = RoomStream(ada, room_id=room.id)
    assert user.say("My parcel is lost").number == 1
    assert [r.id for r in call(agent, "ListRooms", waiting=True).rooms] == [room.id]
    staff = RoomStream(agent, room_id=room.id)
    assert [m.text for m in staff.joined.messages] == ["My parcel is lost"]
    assert staff.say("Hello").reason == "LEASE_LOST"
    assert call(agent, "TakeRoom", room_id=room.id).taker_id == agent.user_id
    assert user.next("status").state == frames.ROOM_STATE_TAKEN
    assert staff.say("We look for it").number == 2
    assert user.next("message").text == "We look for it"
    # Away, the user is told, once; and comes back to all of it.
    token = user.token
    user.close()
    assert staff.say("It is found").number == 3
    assert staff.say("It comes tomorrow").number == 4
    await_that(lambda: [n.kind for n in inbox(ada)] == ["chat.message"], "no notice")
    seen = call(ada, "ListRooms").rooms[0]
    assert (seen.last_number, seen.read_through, seen.unread_count) == (4, 1, 3)
    user = RoomStream(ada, resume_token=token, room_id=room.id)
    assert [user.next("message").number for _ in range(2)] == [3, 4]
    assert call(ada, "MarkRoomRead", room_id=room.id, number=4).unread_count == 0
    # What is refused is refused by a row, and the stream goes on.
    assert user.say("You are an іdi0t").reason == "TEXT_REFUSED"
    assert user.say("Thank you").number == 5
    assert call(agent, "CloseRoom", room_id=room.id).state == frames.ROOM_STATE_CLOSED
    assert user.next("status").state == frames.ROOM_STATE_CLOSED
    assert user.say("One more thing").number == 6
    assert call(ada, "ListRooms").rooms[0].state == frames.ROOM_STATE_OPEN
    eve = Person(channel, "eve_c")
    for method in ("ListMessages", "CloseRoom"):
        code, reason, _ = outcome(lambda method=method: call(eve, method, room_id=room.id))
        assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    user.close()
    staff.close()


def test_what_is_doubtful_comes_before_moderators(server):
    channel = server.channel()
    ada, moderator = Person(channel, "ada_d"), with_role(channel, "moderator", "moderator_d")
    room = call(ada, "OpenRoom", kind=chat.ROOM_KIND_SUPPORT).id
    stream = RoomStream(ada, room_id=room)
    assert stream.say("This is stupid").number == 1
    message = call(ada, "ListMessages", room_id=room).messages[0]
    assert message.text == "This is stupid"
    queued = moderator.call("octet.social.v1.ModerationService/ListQueue", moderation.ListQueueRequest())
    assert [report.target_id for report in queued.reports] == [message.id]
    stream.close()


def test_acceptance_15_look_alikes_are_refused_and_what_is_negated_or_quoted_is_not(server):
    channel = server.channel()
    ada, moderator = Person(channel, "ada_f"), with_role(channel, "moderator", "moderator_f")
    room = call(ada, "OpenRoom", kind=chat.ROOM_KIND_SUPPORT).id
    stream = RoomStream(ada, room_id=room)
    # The first letter of the word is Cyrillic.
    assert stream.say("You are an іdi0t").reason == "TEXT_REFUSED"
    assert stream.say("You are not an іdi0t").number == 1
    assert stream.say("He wrote “іdi0t” to me").number == 2
    queued = moderator.call("octet.social.v1.ModerationService/ListQueue", moderation.ListQueueRequest()).reports
    posted = {message.id for message in call(ada, "ListMessages", room_id=room).messages}
    assert len(posted) == 2 and posted.isdisjoint(report.target_id for report in queued)
    stream.close()


def test_acceptance_11_a_joiner_while_many_post(server):
    """Posts of many clients have dense numbers, and one that joins meanwhile gets each of them once."""
    channel = server.channel()
    ada = Person(channel, "ada_e")
    room = call(ada, "OpenRoom", kind=chat.ROOM_KIND_SUPPORT).id
    posters, each = 8, 13

    def post():
        stream = RoomStream(ada, room_id=room)
        for number in range(each):
            assert stream.say(f"message {number}").number > 0
        stream.close()

    threads = [threading.Thread(target=post) for _ in range(posters)]
    for thread in threads:
        thread.start()
    joiner = RoomStream(ada, room_id=room)
    numbers = [message.number for message in joiner.joined.messages]
    while not numbers or numbers[-1] < posters * each:
        numbers.append(joiner.next("message").number)
    for thread in threads:
        thread.join()
    joiner.close()
    assert numbers == list(range(numbers[0], posters * each + 1))
    listed = call(ada, "ListMessages", room_id=room, page_size=500).messages
    assert [message.number for message in listed] == list(range(posters * each, 0, -1))


def test_a_file_goes_with_a_message_when_it_is_whole_and_not_too_large(server):
    ada = Uploader(server.channel(), "ada_f")
    room = call(ada, "OpenRoom", kind=chat.ROOM_KIND_SUPPORT).id
    stream = RoomStream(ada, room_id=room)
    content = b"a letter" * 100
    letter = ada.create(content)
    assert stream.do("post", upload_ids=[letter.id]).reason == "UPLOAD_INCOMPLETE"
    blob = ada.go_on(letter.id, content).blob_id
    assert stream.do("post", upload_ids=[letter.id]).number == 1
    large = bytes(LONGEST_FILE + 1)
    film = ada.create(large)
    ada.go_on(film.id, large)
    assert stream.do("post", text="Look", upload_ids=[film.id]).reason == "FILE_TOO_LARGE"
    assert stream.say("It is too long").number == 2
    stream.close()
    said = call(ada, "ListMessages", room_id=room).messages
    assert [list(message.blob_ids) for message in said] == [[], [blob]]
