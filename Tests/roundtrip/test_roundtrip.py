"""Every message type of the project: what Python's protobuf encodes survives our codec and back.

OCTET_SEED repeats a run, OCTET_ROUNDS says how many random messages of each type are tried.
"""

import os

import pytest
from google.protobuf import json_format
from random_messages import fill
from roundtrip_program import Refused

ROUNDS = int(os.environ.get("OCTET_ROUNDS", 30))


def same(cls, a: bytes, b: bytes) -> bool:
    """Deterministic bytes and not ==, which calls NaN unequal to itself and -0.0 equal to 0.0."""
    one, other = (cls.FromString(data).SerializeToString(deterministic=True) for data in (a, b))
    return one == other


def test_the_project_has_message_types(classes):
    assert len(classes) > 50


def test_wire_form_survives(swift, classes, rng, message_type):
    cls = classes[message_type]
    for round in range(ROUNDS):
        sent = fill(cls(), rng).SerializeToString() if round else b""
        received = swift.ask("w", message_type, sent)
        assert same(cls, sent, received), f"round {round}: {sent.hex()}"


def test_encoding_is_deterministic(swift, classes, rng, message_type):
    sent = fill(classes[message_type](), rng).SerializeToString()
    first = swift.ask("w", message_type, sent)
    assert swift.ask("w", message_type, first) == first, sent.hex()


def test_parts_are_merged_as_python_merges_them(swift, classes, rng, message_type):
    cls = classes[message_type]
    for round in range(ROUNDS):
        sent = b"".join(fill(cls(), rng).SerializeToString() for _ in range(3))
        received = swift.ask("w", message_type, sent)
        assert same(cls, sent, received), f"round {round}: {sent.hex()}"


def test_json_that_we_write_is_read_by_python(swift, classes, rng, message_type):
    cls = classes[message_type]
    for round in range(ROUNDS):
        sent = fill(cls(), rng, json=True)
        json = swift.ask("j", message_type, sent.SerializeToString())
        received = json_format.Parse(json.decode(), cls())
        assert same(cls, sent.SerializeToString(), received.SerializeToString()), f"round {round}: {json}"


def test_json_that_python_writes_is_read_by_us(swift, classes, rng, message_type):
    cls = classes[message_type]
    for round in range(ROUNDS):
        sent = fill(cls(), rng, json=True)
        json = json_format.MessageToJson(sent, preserving_proto_field_name=bool(round % 2))
        received = swift.ask("p", message_type, json.encode())
        assert same(cls, sent.SerializeToString(), received), f"round {round}: {json}"


def test_truncated_or_garbled_bytes_are_refused_or_read_but_never_crash(swift, classes, rng, message_type):
    cls = classes[message_type]
    for _ in range(ROUNDS):
        sent = bytearray(fill(cls(), rng).SerializeToString())[:4000]
        if rng.random() < 0.5:
            sent = sent[: rng.randrange(len(sent) + 1)]
        for _ in range(rng.choice([0, 1, 3])):
            if sent:
                sent[rng.randrange(len(sent))] = rng.randrange(256)
        try:
            received = swift.ask("w", message_type, bytes(sent))
            swift.ask("d", message_type, received)
        except Refused:
            continue


def test_what_a_newer_proto_wrote_passes_through_an_older_program(swift, classes, rng):
    newer = classes["roundtrip.v1.Scalars"]
    for _ in range(ROUNDS):
        sent = fill(newer(), rng).SerializeToString()
        assert same(newer, sent, swift.ask("w", "roundtrip.v1.OldScalars", sent)), sent.hex()


@pytest.mark.parametrize("text", [b"\xff", b"a\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
def test_invalid_utf8_is_refused_by_field_name(swift, text):
    with pytest.raises(Refused, match="roundtrip.v1.Scalars.a_string"):
        swift.ask("w", "roundtrip.v1.Scalars", b"\x72" + bytes([len(text)]) + text)
