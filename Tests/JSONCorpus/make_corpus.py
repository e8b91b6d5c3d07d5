#!/usr/bin/env python3
"""Writes corpus.tsv: what Python's protobuf makes of messages and of JSON, for JSONCorpusTests to compare with.

Lines are `both`, wire in hex, JSON (a random message in both forms); `read`, wire, JSON (JSON that is accepted);
`refuse`, empty, JSON. Run it with grpcio-tools installed after a change of everything.proto:

    .venv/bin/python Tests/JSONCorpus/make_corpus.py
"""

import json
import pathlib
import random
import struct
import sys
import tempfile

import grpc_tools
from google.protobuf import json_format, struct_pb2
from grpc_tools import protoc

HERE = pathlib.Path(__file__).resolve().parent
PROTOS = HERE.parent / "Protos"
SEED = 20260101
MESSAGES = 80


def load():
    out = tempfile.mkdtemp()
    include = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    status = protoc.main(["protoc", f"-I{PROTOS}", f"-I{include}", f"--python_out={out}", "everything.proto"])
    assert status == 0
    sys.path.insert(0, out)
    import everything_pb2

    return everything_pb2


pb = load()
rng = random.Random(SEED)

TEXTS = ["", "plain", 'q"uo\\te', "tab\tline\n", "nul\0in", "é ü 漢字", "😀🏳️‍🌈", "\u2028", "<&>", "\x7f\x85", "a" * 300]
DOUBLES = [0.0, -0.0, 1.0, -1.5, 0.1, 1e100, 5e-324, 1.7976931348623157e308, 2.0**53, 123456789.125, 1e21, 1e-7]
SPECIALS = [float("inf"), float("-inf"), float("nan")]


def random_float():
    while True:
        value = struct.unpack("<f", rng.randbytes(4))[0]
        if value == value and abs(value) != float("inf"):
            return value


def random_double():
    if rng.random() < 0.5:
        return rng.choice(DOUBLES)
    while True:
        value = struct.unpack("<d", rng.randbytes(8))[0]
        if value == value and abs(value) != float("inf"):
            return value


def signed(bits):
    return rng.choice([0, 1, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), rng.getrandbits(bits) - 2 ** (bits - 1)])


def unsigned(bits):
    return rng.choice([0, 1, 2**bits - 1, rng.getrandbits(bits)])


def text():
    return rng.choice(TEXTS)


def blob():
    return rng.randbytes(rng.choice([0, 1, 2, 3, 10, 50]))


def color():
    return rng.choice([0, 1, -1, 77, -(2**31)])


def plain_json(depth):
    kind = rng.randrange(7 if depth < 3 else 5)
    if kind == 0:
        return None
    if kind == 1:
        return rng.choice([0.0, 1.5, -3.0, 1e300])
    if kind == 2:
        return text()
    if kind in (3, 4):
        return kind == 3
    if kind == 5:
        return [plain_json(depth + 1) for _ in range(rng.randrange(4))]
    return {text(): plain_json(depth + 1) for _ in range(rng.randrange(4))}


def set_value(value, plain):
    json_format.ParseDict(plain, value) if plain is not None else setattr(value, "null_value", 0)


SCALARS = {
    "a_double": lambda: rng.choice([random_double(), rng.choice(SPECIALS)]),
    "a_float": lambda: rng.choice([random_float(), rng.choice(SPECIALS)]),
    "an_int32": lambda: signed(32), "an_int64": lambda: signed(64), "a_uint32": lambda: unsigned(32),
    "a_uint64": lambda: unsigned(64), "a_sint32": lambda: signed(32), "a_sint64": lambda: signed(64),
    "a_fixed32": lambda: unsigned(32), "a_fixed64": lambda: unsigned(64), "a_sfixed32": lambda: signed(32),
    "a_sfixed64": lambda: signed(64), "a_bool": lambda: rng.random() < 0.5, "a_string": text, "a_bytes": blob,
    "a_color": color, "renamed": text, "maybe_int32": lambda: signed(32), "maybe_string": text, "maybe_color": color,
}
LISTS = {
    "doubles": random_double, "floats": random_float, "int32s": lambda: signed(32), "int64s": lambda: signed(64),
    "sint64s": lambda: signed(64), "fixed32s": lambda: unsigned(32), "bools": lambda: rng.random() < 0.5,
    "strings": text, "blobs": blob, "colors": color,
}
WRAPPERS = {
    "wrapped_double": random_double, "wrapped_float": random_float, "wrapped_int64": lambda: signed(64),
    "wrapped_uint64": lambda: unsigned(64), "wrapped_int32": lambda: signed(32),
    "wrapped_uint32": lambda: unsigned(32), "wrapped_bool": lambda: rng.random() < 0.5, "wrapped_string": text,
    "wrapped_bytes": blob,
}


def times(message):
    if rng.random() < 0.3:
        message.timestamp.seconds = rng.choice([-62135596800, 253402300799, 0, -1, rng.randrange(-10**10, 10**10)])
        message.timestamp.nanos = rng.choice([0, 1, 1000, 1000000, 999999999, 500000000])
    if rng.random() < 0.3:
        sign = rng.choice([1, -1])
        message.duration.seconds = sign * rng.choice([0, 1, 315576000000 - 1, rng.randrange(10**6)])
        message.duration.nanos = sign * rng.choice([0, 1, 1000, 10000000, 999999999])


def fill(message, depth=0):
    for name, make in SCALARS.items():
        if rng.random() < 0.3:
            setattr(message, name, make())
    for name, make in LISTS.items():
        if rng.random() < 0.2:
            getattr(message, name).extend(make() for _ in range(rng.randrange(1, 5)))
    for name, make in WRAPPERS.items():
        if rng.random() < 0.2:
            getattr(message, name).value = make()
    times(message)
    if rng.random() < 0.2:
        message.field_mask.paths.extend(rng.sample(["a", "user.display_name", "x_y.z_w", "b1"], 2))
    if rng.random() < 0.2:
        message.structure.update({"k": plain_json(0), text(): plain_json(0)})
    if rng.random() < 0.2:
        set_value(message.value, plain_json(0))
    if rng.random() < 0.2:
        json_format.ParseDict([plain_json(0)], message.list)
    if rng.random() < 0.1:
        message.empty.SetInParent()
    if rng.random() < 0.2:
        message.wrapped_strings.add(value=text())
    for _ in range(rng.choice([0, 0, 0, 2])):
        message.strings_by_string[text()] = text()
        message.doubles_by_bool[rng.random() < 0.5] = random_double()
        message.colors_by_uint64[unsigned(64)] = color()
        message.blobs_by_sint32[signed(32)] = blob()
    if rng.random() < 0.3:
        choose(message, depth)
    if depth < 2:
        nest(message, depth)


def choose(message, depth):
    kind = rng.randrange(4)
    if kind == 0:
        message.chosen_int64 = signed(64)
    elif kind == 1:
        message.chosen_string = text()
    elif kind == 2 and depth < 2:
        fill(message.chosen_child, depth + 1)
        message.chosen_child.SetInParent()
    else:
        message.chosen_null = struct_pb2.NULL_VALUE


def nest(message, depth):
    if rng.random() < 0.3:
        message.child.SetInParent()
        fill(message.child, depth + 1)
    if rng.random() < 0.2:
        fill(message.children.add(), depth + 1)
    if rng.random() < 0.2:
        fill(message.children_by_int32[signed(32)], depth + 1)
    if rng.random() < 0.2:
        other = pb.Everything()
        fill(other, depth + 1)
        message.any.Pack(rng.choice([other, other.timestamp, other.duration, other.structure, other.wrapped_int64]))


CANDIDATES = [
    "{}", " { } ", '{"aString":"x"}', '{"a_string":"x"}', '{"@other":"x"}', '{"renamed":"x"}',
    '{"anInt32":"12"}', '{"anInt32":12.0}', '{"anInt32":1e2}', '{"anInt32":1.5}', '{"anInt32":2147483648}',
    '{"anInt32":-2147483648}', '{"anInt32":true}', '{"anInt32":""}', '{"anInt32":" 1"}', '{"anInt32":"1 "}',
    '{"anInt32":"0x1"}', '{"anInt32":012}', '{"anInt64":"9223372036854775807"}', '{"anInt64":9223372036854775808}',
    '{"aUint64":18446744073709551615}', '{"aUint64":"18446744073709551616"}', '{"aUint32":-1}',
    '{"aSint64":"-9223372036854775808"}', '{"aDouble":"1.5"}', '{"aDouble":"NaN"}', '{"aDouble":"Infinity"}',
    '{"aDouble":"-Infinity"}', '{"aDouble":NaN}', '{"aDouble":Infinity}', '{"aDouble":1e400}', '{"aDouble":"x"}',
    '{"aDouble":1}', '{"aDouble":-0.0}', '{"aDouble":true}', '{"aFloat":3.4028235e38}', '{"aFloat":1e39}',
    '{"aFloat":-1e39}', '{"aFloat":0.1}', '{"aBool":true}', '{"aBool":"true"}', '{"aBool":1}', '{"aString":1}',
    '{"aString":null}', '{"aBytes":"aGk="}', '{"aBytes":"aGk"}', '{"aBytes":"-_8="}', '{"aBytes":"-_8"}',
    '{"aBytes":"+/8="}', '{"aColor":"COLOR_RED"}', '{"aColor":"COLOR_ROUGE"}', '{"aColor":1}', '{"aColor":99}',
    '{"aColor":"NO"}', '{"aColor":-1}', '{"aColor":"red"}', '{"aColor":null}', '{"child":{}}', '{"child":null}',
    '{"child":{"child":{"aBool":true}}}', '{"child":[]}', '{"child":1}', '{"int32s":[1,2,3]}', '{"int32s":[]}',
    '{"int32s":null}', '{"int32s":[null]}', '{"int32s":1}', '{"int32s":[1,]}', '{"int32s":[1 2]}', '{"children":[{}]}',
    '{"children":[null]}', '{"stringsByString":{"a":"b"}}', '{"stringsByString":{"a":null}}',
    '{"stringsByString":{"a":1}}', '{"stringsByString":[]}', '{"doublesByBool":{"true":1,"false":2}}',
    '{"doublesByBool":{"1":1}}', '{"colorsByUint64":{"18446744073709551615":"COLOR_RED"}}',
    '{"colorsByUint64":{"-1":0}}', '{"blobsBySint32":{"-7":"AA=="}}', '{"childrenByInt32":{"1":{"aBool":true}}}',
    '{"valuesByString":{"a":null}}', '{"maybeInt32":0}', '{"maybeString":""}', '{"maybeInt32":null}',
    '{"chosenInt64":"0"}', '{"chosenInt64":1,"chosenString":"x"}', '{"chosenInt64":null,"chosenString":"x"}',
    '{"chosenString":"x","chosenInt64":null}', '{"chosenNull":null}', '{"chosenNull":"NULL_VALUE"}',
    '{"nullValue":null}', '{"unknown":1}', '{"aString":"a","aString":"b"}', '{"aString":"a","a_string":"b"}',
    '{"timestamp":"1970-01-01T00:00:00Z"}', '{"timestamp":"0001-01-01T00:00:00Z"}',
    '{"timestamp":"9999-12-31T23:59:59.999999999Z"}', '{"timestamp":"2024-02-29T12:00:00.5+02:00"}',
    '{"timestamp":"2023-02-29T12:00:00Z"}', '{"timestamp":"2024-01-01T00:00:00"}', '{"timestamp":"2024-13-01T00:00:00Z"}',
    '{"timestamp":"1969-12-31T23:59:59.25Z"}', '{"timestamp":"10000-01-01T00:00:00Z"}', '{"timestamp":1}',
    '{"timestamp":"2024-01-01T00:00:00-08:30"}', '{"timestamp":null}', '{"timestamps":[null]}',
    '{"duration":"1s"}', '{"duration":"-1.5s"}', '{"duration":"0.000000001s"}', '{"duration":"-0.5s"}',
    '{"duration":"1"}', '{"duration":"s"}', '{"duration":"315576000000s"}', '{"duration":"315576000001s"}',
    '{"duration":1}', '{"fieldMask":"a,userName.displayName"}', '{"fieldMask":""}', '{"fieldMask":"a_b"}',
    '{"structure":{"a":[1,"b",null,true,{"c":{}}]}}', '{"structure":[]}', '{"structure":null}', '{"value":null}',
    '{"value":1.5}', '{"value":"s"}', '{"value":[]}', '{"value":{}}', '{"value":false}', '{"list":[1,[2]]}',
    '{"list":{}}', '{"values":[null,1]}', '{"wrappedInt64":"5"}', '{"wrappedInt64":5}', '{"wrappedInt64":0}',
    '{"wrappedInt64":null}', '{"wrappedString":""}', '{"wrappedBool":false}', '{"wrappedBytes":"AA=="}',
    '{"wrappedInt64":{"value":5}}', '{"empty":{}}', '{"any":{}}',
    '{"any":{"@type":"type.googleapis.com/everything.v1.Everything","aBool":true}}',
    '{"any":{"aBool":true,"@type":"type.googleapis.com/everything.v1.Everything"}}',
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"3s"}}',
    '{"any":{"value":"3s","@type":"type.googleapis.com/google.protobuf.Duration"}}',
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Value","value":[1]}}',
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Int32Value","value":7}}',
    '{"any":{"@type":"type.googleapis.com/no.Such"}}', '{"any":{"aBool":true}}', '{"any":{"@type":"x"}}',
    '{"aString":"\\u00e9\\n\\/\\b\\f\\r\\t\\"\\\\"}', '{"aString":"\\ud83d\\ude00"}', '{"aString":"\\x"}',
    '{"aString":"\\u12"}', '{"aString":"a', '{"aString":"a\nb"}', "{", "[]", "1", "null", "", "{} {}", '{"aBool":true,}',
    '{aBool:true}', "{'aBool':true}", '{"aBool" true}', '{"aBool":tru}', '{"aBool":true', '{"aDouble":.5}',
    '{"aDouble":1.}', '{"aDouble":+1}', '{"aDouble":1e}', '{"aDouble":-}', '{"aDouble":01}',
]

# Where Python departs from the specification: takes true as 1.0, an empty list as an empty message, and one field
# under both of its names; and refuses the greatest float.
LENIENT = ['{"aDouble":true}', '{"child":[]}', "[]", '{"aString":"a","a_string":"b"}']
STRICT = {'{"aFloat":3.4028235e38}': pb.Everything(a_float=3.4028234663852886e38)}


def main():
    lines = []
    for _ in range(MESSAGES):
        message = pb.Everything()
        fill(message)
        text = json_format.MessageToJson(message, indent=None)
        lines.append(("both", message.SerializeToString(deterministic=True).hex(), text))
    for text in CANDIDATES:
        try:
            if text in LENIENT:
                raise ValueError
            message = STRICT.get(text) or json_format.Parse(text, pb.Everything())
            lines.append(("read", message.SerializeToString(deterministic=True).hex(), json.dumps(text)))
        except Exception:
            lines.append(("refuse", "", json.dumps(text)))
    path = HERE / "corpus.tsv"
    path.write_text("".join("\t".join(line) + "\n" for line in lines))
    print(f"{len(lines)} lines in {path}")


main()
