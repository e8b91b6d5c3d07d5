"""list, describe and call, against a foreign server."""

import json

import pytest
from client import Octet
from zoo import Zoo


@pytest.fixture(scope="module")
def zoo():
    with Zoo() as zoo:
        yield zoo


@pytest.fixture
def octet(zoo, tmp_path):
    return Octet(tmp_path, zoo.address, "--plaintext")


SERVICE = "zoo.animals.v1.AnimalService"


def test_lists_services_and_methods(octet):
    assert SERVICE in octet("list").out.splitlines()
    methods = octet("list", SERVICE).out.splitlines()
    assert methods[0] == f"{SERVICE}/GetAnimal"
    assert octet("list", "AnimalService").out.splitlines() == methods


def test_describes_symbols(octet):
    service = octet("describe", "AnimalService").out
    assert "rpc WatchAnimals(zoo.animals.v1.WatchAnimalsRequest) returns (stream zoo.animals.v1.Animal);" in service
    message = octet("describe", "zoo.animals.v1.FeedAnimalRequest").out
    assert "  map<string, int32> counts = 6;" in message
    assert "  message Keeper {" in message
    enum = octet("describe", "zoo.animals.v1.Hunger").out
    assert "  HUNGER_VERY_HUNGRY = 2;" in enum
    method = octet("describe", "AnimalService/GetAnimal").out
    assert "message zoo.animals.v1.GetAnimalRequest {" in method and "message zoo.animals.v1.Animal {" in method


def test_says_what_it_does_not_know(octet):
    assert octet("describe", "no.Such").code == 5
    assert octet("list", "NoSuch").code == 5
    result = octet("call", f"{SERVICE}/NoSuch")
    assert result.code == 12 and "has no method NoSuch" in result.error


def test_calls_unary_methods(octet):
    result = octet("call", f"{SERVICE}/GetAnimal", "-d", '{"animalId": "cat"}')
    assert result.code == 0 and result.error == ""
    assert result.out == '{\n  "id": "cat",\n  "name": "Tom",\n  "legs": "4"\n}\n'
    result = octet("call", "AnimalService.GetAnimal", "--data={\"animal_id\": \"cat\"}", "--compact")
    assert result.out == '{"id":"cat","name":"Tom","legs":"4"}\n'


def test_takes_data_from_files_and_standard_input(octet, tmp_path):
    (tmp_path / "request.json").write_text('{"animalId": "cat"}\n')
    assert octet("call", "AnimalService/GetAnimal", "-d", "@request.json").json()["name"] == "Tom"
    assert octet("call", "AnimalService/GetAnimal", "-d", "-", stdin='{"animalId": "cat"}').json()["name"] == "Tom"
    missing = octet("call", "AnimalService/GetAnimal", "-d", "@nothing")
    assert missing.code == 74 and "nothing" in missing.error


def test_calls_all_kinds_of_streams(octet):
    watched = octet("call", "AnimalService/WatchAnimals", "-d", '{"count": 3}')
    assert [animal["name"] for animal in watched.lines()] == ["animal 0", "animal 1", "animal 2"]
    animals = '{"legs": 4}\n{"legs": "2"} {\n  "legs": 6\n}\n'
    counted = octet("call", "AnimalService/CountAnimals", stdin=animals)
    assert counted.json() == {"count": 3, "legs": "12"}
    assert octet("call", "AnimalService/CountAnimals", "-d", animals).json() == counted.json()
    shouted = octet("call", "AnimalService/ShoutAnimals", stdin='{"name": "a"}\n{"name": "b}\\""}')
    assert [animal["name"] for animal in shouted.lines()] == ["A", 'B}"']
    assert octet("call", "AnimalService/CountAnimals", stdin="").json() == {}


def test_streams_many_messages(octet):
    names = [f"animal {number}" for number in range(2000)]
    stdin = "".join(json.dumps({"name": name}) + "\n" for name in names)
    shouted = octet("call", "AnimalService/ShoutAnimals", stdin=stdin)
    assert [animal["name"] for animal in shouted.lines()] == [name.upper() for name in names]


def test_exit_code_is_the_status_and_the_error_says_everything(octet):
    result = octet("call", "AnimalService/GetAnimal", "-d", '{"animalId": "dog"}')
    assert (result.code, result.out, result.error) == (5, "", "octet: NOT_FOUND: no such animal\n")
    result = octet("call", "AnimalService/GetAnimal", "-d", '{"animalId": "bad"}')
    assert result.code == 3
    assert result.error.splitlines() == [
        "octet: INVALID_ARGUMENT: the request is invalid",
        "  reason: BAD_ANIMAL",
        "  kind: unicorn",
        "  animal_id: is no animal",
        "  stops[1]: is too far",
        "  retry after: 1.5 s",
    ]
    result = octet("call", "AnimalService/WatchAnimals", "-d", '{"count": 2, "fails": true}')
    assert result.code == 8 and len(result.lines()) == 2


def test_refuses_wrong_json_with_its_place(octet):
    result = octet("call", "AnimalService/GetAnimal", "-d", '{"animalId": 7}')
    assert result.code == 3 and "animalId: a string is expected, not a number" in result.error
    result = octet("call", "AnimalService/CountAnimals", stdin='{"legs": 1}\n{"legs": "x"}\n')
    assert result.code == 3 and "message 2, legs: a number is expected" in result.error
    assert octet("call", "AnimalService/GetAnimal", "-d", '{"nope": 1}').code == 3
    assert octet("call", "AnimalService/GetAnimal", "-d", "{").code == 3


def test_sends_metadata_and_deadlines(octet):
    seen = octet(
        "call", "AnimalService/Inspect", "-H", "X-Tenant: north", "-H", "x-raw-bin: AQID", "--deadline", "300s", "-v"
    )
    answer = seen.json()
    assert answer["metadata"]["x-tenant"] == "north" and answer["metadata"]["x-raw-bin"] == "010203"
    assert 200_000 < int(answer["deadlineMs"]) <= 300_000
    assert "< x-initial: one" in seen.error and "<< x-trailing: two" in seen.error and "status: OK" in seen.error
    assert "deadlineMs" not in octet("call", "AnimalService/Inspect").json()


def test_messages_inside_any_are_learned_by_reflection(octet):
    animal = {"extra": {"@type": "type.googleapis.com/octet.identity.v1.LogoutRequest", "requestId": "x"}, "name": "n"}
    assert octet("call", "AnimalService/ShoutAnimals", "-d", json.dumps(animal)).lines() == [{"name": "N"}]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["call"],
        ["call", "x"],
        ["call", "AnimalService/GetAnimal", "extra"],
        ["call", "AnimalService/GetAnimal", "--nope"],
        ["call", "AnimalService/GetAnimal", "-d"],
        ["call", "AnimalService/GetAnimal", "--deadline", "soon"],
        ["call", "AnimalService/GetAnimal", "-H", "nocolon"],
        ["list", "--profile", "../x"],
        ["nonsense"],
    ],
)
def test_wrong_command_lines_exit_with_64(octet, arguments):
    result = octet(*arguments)
    assert result.code == 64 and "octet: " in result.error and result.out == ""


@pytest.mark.parametrize(
    "command", [[], ["list"], ["describe"], ["call"], ["login"], ["logout"], ["bench"], ["completion"]]
)
def test_help_is_everywhere(octet, command):
    result = octet(*command, "--help")
    assert result.code == 0 and result.out.startswith(" ".join(["usage: octet", *command]))
    # Those that all commands have stand in one place, which each command names.
    assert ("--address" in result.out) == (command == []) and ("octet --help shows" in result.out) == (command != [])


def test_a_server_that_is_not_there_is_unavailable(tmp_path):
    result = Octet(tmp_path, "127.0.0.1:1", "--plaintext")("list")
    assert result.code == 14 and "UNAVAILABLE" in result.error


def bench(octet, *arguments):
    """For a second; for longer, if the machine stood still for that long."""
    for seconds in ("1", "5", "30"):
        result = octet("bench", *arguments, "--seconds", seconds, "--warmup", "0")
        if result.code != 0 or "p99 " in result.out:
            break
    return result


def test_bench_reports_rate_and_latency(octet):
    result = bench(
        octet, "AnimalService/GetAnimal", "-d", '{"animalId": "cat"}', "--connections", "2", "--streams", "4"
    )
    assert result.code == 0 and "calls/s" in result.out and "p99 " in result.out and "failed" not in result.out
    assert octet("bench", "AnimalService/GetAnimal").code == 5
    assert octet("bench", "AnimalService/WatchAnimals").code == 64


def test_each_call_of_bench_has_a_request_id_of_its_own(octet, zoo):
    fed = zoo.animals.fed
    for message, fills in (('{"animalId": "cat"}', True), ('{"animalId": "cat", "requestId": "mine"}', False)):
        before = len(fed)
        result = bench(octet, "AnimalService/FeedAnimal", "-d", message, "--streams", "2")
        assert result.code == 0, result.error
        ids = [request_id for _, request_id in fed[before:]]
        assert len(ids) > 2
        assert len(set(ids)) == (len(ids) if fills else 1)
        assert all(len(each) == 36 for each in ids) if fills else ids[0] == "mine"
