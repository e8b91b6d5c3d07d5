"""Commands made from descriptors, against a foreign server; completion."""

import datetime
import os
import pathlib
import re
import subprocess

import pytest
from client import Octet
from support.server import BUILD
from zoo import Zoo

GOLDEN = pathlib.Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def zoo():
    with Zoo() as zoo:
        yield zoo


@pytest.fixture
def octet(zoo, tmp_path):
    return Octet(tmp_path, zoo.address, "--plaintext")


def test_first_word_is_the_resource(octet):
    assert octet("animals", "get-animal", "cat").json()["name"] == "Tom"
    assert octet("animals", "get", "cat").json()["name"] == "Tom"
    assert octet("animals", "get", "--animal-id", "cat").json()["name"] == "Tom"
    assert octet("animals", "get", "dog").code == 5


def test_flags_are_fields(octet):
    result = octet(
        "animals", "feed", "cat", "--hunger", "very-hungry", "--is-gentle", "--foods", "fish", "--foods", "milk",
        "--counts", "a=1", "--counts", "b=2", "--place", "48.2,-16.5", "--price", "-1250 EUR", "--day", "2026-01-31",
        "--at", "2026-01-01T00:00:00Z", "--patience", "1.5s", "--keeper.name", "Ada \"the\" keeper",
        "--keeper.age", "36", "--field-deadline", "noon",
    )  # fmt: skip
    assert result.code == 0, result.error
    request = result.json()["request"]
    uuid = request.pop("requestId")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", uuid)
    assert request == {
        "animalId": "cat",
        "hunger": "HUNGER_VERY_HUNGRY",
        "isGentle": True,
        "foods": ["fish", "milk"],
        "counts": {"a": 1, "b": 2},
        "place": {"latitude": 48.2, "longitude": -16.5},
        "price": {"currencyCode": "EUR", "minorUnits": "-1250"},
        "day": {"year": 2026, "month": 1, "day": 31},
        "at": "2026-01-01T00:00:00Z",
        "patience": "1.500s",
        "keeper": {"name": 'Ada "the" keeper', "age": 36},
        "deadline": "noon",
    }


@pytest.mark.parametrize(
    "flag, text, field, value",
    [
        ("--price", "12.50 EUR", "price", {"currencyCode": "EUR", "minorUnits": "1250"}),
        ("--price", "-0.05 KWD", None, None),
        ("--price", "-0.050 KWD", "price", {"currencyCode": "KWD", "minorUnits": "-50"}),
        ("--patience", "1h30m", "patience", "5400s"),
        ("--patience", "-250ms", "patience", "-0.250s"),
        ("--patience", "2d", "patience", "172800s"),
        ("--at", "2026-01-31", "at", "2026-01-31T00:00:00Z"),
        ("--at", "2026-01-31 18:30", "at", "2026-01-31T18:30:00Z"),
        ("--at", "2026-01-31T18:30:05", "at", "2026-01-31T18:30:05Z"),
        ("--at", "2026-01-31T18:30:05+01:00", "at", "2026-01-31T17:30:05Z"),
        ("--keeper", "name=Ada, the keeper,age=36", "keeper", {"name": "Ada, the keeper", "age": 36}),
    ],
)
def test_values_are_written_as_people_write_them(octet, flag, text, field, value):
    result = octet("animals", "feed", "cat", flag, text)
    assert (result.json()["request"][field] == value) if field else (result.code == 64), result.error


def test_instants_are_told_from_now(octet):
    before = datetime.datetime.now(datetime.UTC)
    texts = [octet("animals", "feed", "cat", "--at", text).json()["request"]["at"] for text in ("-1h", "now", "+2d")]
    after = datetime.datetime.now(datetime.UTC)
    spans = [datetime.timedelta(hours=-1), datetime.timedelta(), datetime.timedelta(days=2)]
    slack = datetime.timedelta(milliseconds=1)  # what the text leaves off
    for text, span in zip(texts, spans, strict=True):
        assert before - slack <= datetime.datetime.fromisoformat(text) - span <= after


def test_a_given_request_id_is_kept_and_data_gets_one(octet):
    assert octet("animals", "feed", "cat", "--request-id", "mine").json()["request"]["requestId"] == "mine"
    request = octet("animals", "feed", "-d", '{"animalId": "cat"}').json()["request"]
    assert request["animalId"] == "cat" and len(request["requestId"]) == 36


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--hunger", "huge"], "--hunger: huge is none of unspecified, none, very-hungry"),
        (["--place", "here"], "--place: here is no place such as 48.2082,16.3738"),
        (["--price", "12.50"], "--price: 12.50 is no amount such as '12.50 EUR'"),
        (["--price", "12.5 EUR"], "--price: EUR has 2 decimals"),
        (["--price", "1.00 XXX"], "--price: XXX is no known currency"),
        (["--day", "tomorrow"], "--day: tomorrow is no date"),
        (["--day", "2026-02-30"], "--day: 2026-02-30 is no date"),
        (["--day", "2026-01-31-x"], "--day: 2026-01-31-x is no date"),
        (["--at", "2026-01-31-05:00"], "--at: 2026-01-31-05:00 is no instant"),
        (["--at", "soon"], "--at: soon is no instant"),
        (["--at", "2026-01-31 7pm"], "--at: 2026-01-31 7pm is no instant"),
        (["--patience", "5 minutes"], "--patience: 5 minutes is no span of time"),
        (["--patience", "9999999d"], "--patience: 9999999d is no span of time"),
        (["--keeper", "Ada"], "--keeper: Ada is not FIELD=VALUE with a field of Keeper"),
        (["--counts", "a"], "--counts: a is not KEY=VALUE"),
        (["--is-gentle=perhaps"], "--is-gentle: perhaps is neither true nor false"),
        (["--nope", "x"], "unknown option --nope"),
        (["dog"], "dog is one word too many"),
        (["-d", "{}"], "from flags or from --data, not from both"),
    ],
)
def test_wrong_flags_are_told(octet, arguments, message):
    result = octet("animals", "feed", "cat", *arguments)
    assert result.code == 64 and message in result.error


def test_streams_take_flags_first_then_standard_input(octet):
    counted = octet("animals", "count", "--legs", "2", stdin='{"legs": 4}\n{"legs": 6}')
    assert counted.json() == {"count": 3, "legs": "12"}
    assert octet("animals", "watch", "--count", "2").lines() == [
        {"id": "0", "name": "animal 0"},
        {"id": "1", "name": "animal 1"},
    ]


def test_help_comes_from_the_comments(octet):
    # Python's reflection strips comments, so only names show here; octetd's own show in the contract tests.
    domain = octet("animals", "--help")
    assert domain.code == 0 and "\n  feed\n" in domain.out
    command = octet("animals", "feed", "--help").out
    assert "usage: octet animals feed ANIMAL_ID" in command
    assert "calls: zoo.animals.v1.AnimalService/FeedAnimal" in command
    assert "--hunger HUNGER" in command and "One of none, very-hungry." in command
    assert "--place LATITUDE,LONGITUDE" in command and "--keeper.name NAME" in command
    assert octet("animals").code == 64 and octet("animals", "nope").code == 64


def complete(octet, *words):
    # The address comes from the environment; the flags must stand before the words that are completed. The client's own
    # patience, a second, is that of a person who pressed Tab; a slow server completes nothing in it.
    result = octet("__complete", "--plaintext", "--deadline", "60s", *words)
    assert result.code == 0
    return result.out.split()


def test_completes_commands_services_methods_and_flags(zoo, tmp_path):
    octet = Octet(tmp_path, zoo.address)
    assert complete(octet, "c") == ["call", "completion"]
    assert "animals" in complete(octet, "")
    assert complete(octet, "call", "zoo") == ["zoo.animals.v1.AnimalService/"]
    assert "AnimalService/GetAnimal" in complete(octet, "call", "AnimalService/G")
    assert complete(octet, "animals", "f") == ["feed"]
    assert complete(octet, "animals", "feed", "--hu") == ["--hunger"]
    assert complete(octet, "animals", "feed", "--hunger", "v") == ["very-hungry"]
    assert complete(octet, "call", "--dat") == ["--data"]


def test_completion_is_silent_without_a_server(tmp_path):
    octet = Octet(tmp_path, "127.0.0.1:1")
    assert complete(octet, "animals", "") == []
    assert complete(octet, "l") == ["list", "login", "logout"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_prints_completion_scripts(octet, shell):
    assert "octet __complete" in octet("completion", shell).out


def test_bash_completes_with_the_script(octet):
    script = "source <(octet completion bash); COMP_WORDS=(octet c); COMP_CWORD=1; _octet; echo ${COMPREPLY[*]}"
    environment = octet.environment | {"PATH": f"{BUILD.resolve()}:{os.environ['PATH']}"}
    shell = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert shell.stdout.split() == ["call", "completion"], shell.stderr


@pytest.mark.parametrize(
    "arguments, golden",
    [
        (["--help"], "help.txt"),
        (["call", "--help"], "help-call.txt"),
        (["login", "--help"], "help-login.txt"),
        (["animals", "feed", "--help"], "help-animals-feed.txt"),
        (["describe", "zoo.animals.v1.FeedAnimalRequest"], "describe-message.txt"),
        (["describe", "AnimalService/WatchAnimals"], "describe-method.txt"),
    ],
)
def test_texts_are_as_they_were_approved(octet, arguments, golden):
    """After a wanted change: OCTET_UPDATE_GOLDEN=1."""
    text = octet(*arguments).out
    path = GOLDEN / golden
    if os.environ.get("OCTET_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
