"""Whoever is kept from a thread: the owner of the thing that it is beside bans, in a room of ChatService."""

import grpc
from support.authorization.world import absent
from support.board import BOARD, ask, pin
from support.keys import SigningKey
from support.people import Person, outcome, request_id
from support.rooms import CHAT, RoomStream


def open_thread(owner):
    """An advert with the room beside it."""
    advert = pin(owner, "w" + request_id().replace("-", "")).id
    return advert, ask(owner, f"{CHAT.split('/')[0]}/OpenRoom", kind="ROOM_KIND_THREAD", subject_id=advert).id


def test_whoever_is_banned_from_a_thread_reads_it_and_says_nothing_there(board):
    channel = board.channel()
    owner, rude, other = (Person(channel, f"b_{request_id()[:8]}") for _ in range(3))
    (advert, room), (_, elsewhere) = open_thread(owner), open_thread(owner)

    def ban(person, user, of=advert):
        return outcome(lambda: ask(person, f"{BOARD}/BanFromThread", advert_id=of, user_id=user.user_id))[:2]

    streams = {person: RoomStream(person, room_id=room) for person in (owner, rude, other)}
    assert streams[rude].say("How ugly that is").number == 1
    assert ban(other, rude) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert outcome(lambda: ask(owner, f"{BOARD}/BanFromThread", advert_id=advert, user_id=absent(rude.user_id)))[:2] == (
        grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert ban(owner, owner) == (grpc.StatusCode.INVALID_ARGUMENT, "SELF_TARGET")
    assert ban(owner, rude, pin(owner, "x" + request_id().replace("-", "")).id)[1] == "NOT_FOUND"
    assert ban(owner, rude)[0] == grpc.StatusCode.OK
    # On the stream that is open, and on a new one.
    assert streams[rude].say("And how dear").reason == "BANNED"
    again = RoomStream(rude, room_id=room)
    assert [message.number for message in again.joined.messages] == [1]
    assert again.say("Too dear").reason == "BANNED"
    # The others talk on, and the one who is banned hears them.
    assert streams[other].say("I like it").number == 2
    assert again.next("message").text == "I like it"
    for stream in (*streams.values(), again):
        stream.close()
    stream = RoomStream(rude, room_id=elsewhere)
    assert stream.say("Nice").number == 1
    stream.close()


def test_acceptance_12_a_banned_users_second_account_on_the_device_is_banned(board, tmp_path):
    channel, key = board.channel(), SigningKey(tmp_path)
    owner, stranger = (Person(channel, f"b_{request_id()[:8]}") for _ in range(2))
    rude, second = (Person(channel, f"b_{request_id()[:8]}", key=key) for _ in range(2))
    advert, room = open_thread(owner)
    streams = {person: RoomStream(person, room_id=room) for person in (rude, second, stranger)}
    assert streams[second].say("How dear").number == 1
    ask(owner, f"{BOARD}/BanFromThread", advert_id=advert, user_id=rude.user_id)
    assert streams[second].say("And how ugly").reason == "BANNED"
    # Nor one that is made after the ban.
    third = Person(channel, f"b_{request_id()[:8]}", key=key)
    streams[third] = RoomStream(third, room_id=room)
    assert streams[third].say("Too dear").reason == "BANNED"
    assert streams[stranger].say("I like it").number == 2
    for stream in streams.values():
        stream.close()
