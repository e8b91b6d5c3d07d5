"""People who talk beside a thing, all at once: acceptance 11 of video.md, in a room where strangers meet."""

import concurrent.futures
import threading

from support.board import ask, pin
from support.people import Person, request_id
from support.rooms import CHAT, RoomStream

PEOPLE, EACH, JOINERS = 20, 5, 3
MOST_HEARTS = 50
# After so many a reader loses the connection.
FRAMES = 7


def test_acceptance_11_a_joiner_while_a_hundred_posts_come_has_all_once(board):
    channel = board.channel()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        people = list(pool.map(lambda _: Person(channel, f"p_{request_id()[:8]}"), range(PEOPLE)))
    owner, reader = people[:2]
    advert = pin(owner, "w" + request_id().replace("-", "")).id
    room = ask(owner, f"{CHAT.split('/')[0]}/OpenRoom", kind="ROOM_KIND_THREAD", subject_id=advert).id
    under_way, said = threading.Semaphore(0), {}

    def talk(person):
        stream = RoomStream(person, room_id=room)
        assert stream.do("hearts", count=MOST_HEARTS).request_id
        for number in range(EACH):
            text = f"w{person.user_id}x{number}".lower()
            said[stream.say(text).number] = text
            under_way.release()
        stream.close()

    def follow(person):
        """Joins while the others talk, and hears them to the end."""
        stream = RoomStream(person, room_id=room)
        heard = list(stream.joined.messages)
        while heard[-1].number < PEOPLE * EACH:
            heard.append(stream.next("message"))
        stream.cut()
        return heard

    with concurrent.futures.ThreadPoolExecutor(PEOPLE + JOINERS) as pool:
        talks = [pool.submit(talk, person) for person in people]
        for _ in range(PEOPLE):
            assert under_way.acquire(timeout=300)
        joiners = []
        for person in people[-JOINERS:]:
            joiners.append(pool.submit(follow, person))
            for _ in range(PEOPLE // 2):
                assert under_way.acquire(timeout=300)
        # Is cut and comes back all the time.
        heard, hearts, token = [], [], ""
        while not heard or heard[-1].number < PEOPLE * EACH:
            stream = RoomStream(reader, resume_token=token, room_id=room)
            heard += stream.joined.messages
            hearts.append(stream.joined.heart_total)
            token = stream.token or token
            for _ in range(FRAMES):
                if heard and heard[-1].number == PEOPLE * EACH:
                    break
                frame = stream.next("message", "hearts")
                if hasattr(frame, "total"):
                    hearts.append(frame.total)
                else:
                    heard.append(frame)
                token = stream.token or token
            stream.cut()
        for each in talks:
            each.result()
    for each in (heard, *(joiner.result() for joiner in joiners)):
        numbers = [message.number for message in each]
        assert numbers == list(range(numbers[0], PEOPLE * EACH + 1))
        assert all(message.text == said[message.number] for message in each)
    assert hearts == sorted(hearts), "a count went back"
    afresh = RoomStream(reader, room_id=room)
    assert afresh.joined.heart_total == PEOPLE * MOST_HEARTS
    assert [message.number for message in afresh.joined.messages] == list(range(PEOPLE * EACH - 49, PEOPLE * EACH + 1))
    afresh.cut()
