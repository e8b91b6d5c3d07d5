"""Random values for any message type, with a liking for the values that break codecs."""

import random
import struct

from google.protobuf.descriptor import FieldDescriptor as F

DEEPEST = 5
"""Nesting below which no more messages are put into messages."""

INTERESTING = {
    F.CPPTYPE_INT32: [0, 1, -1, 127, 128, 2**31 - 1, -(2**31)],
    F.CPPTYPE_INT64: [0, 1, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63)],
    F.CPPTYPE_UINT32: [0, 1, 127, 128, 2**31, 2**32 - 1],
    F.CPPTYPE_UINT64: [0, 1, 2**32, 2**53 + 1, 2**63, 2**64 - 1],
    F.CPPTYPE_DOUBLE: [0.0, -0.0, 1.5, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan")],
    F.CPPTYPE_FLOAT: [0.0, -0.0, 1.5, 1e-45, 3.4028234663852886e38, float("inf"), float("-inf"), float("nan")],
}
TEXTS = ["", "a", "\0", "a\0b", "é", "e\u0301", "日本語", "\U0001f6b2", "\u2028", '"\\/\b\n', "x" * 15, "x" * 16, "x" * 3000]
BITS = {F.CPPTYPE_INT32: (32, True), F.CPPTYPE_INT64: (64, True), F.CPPTYPE_UINT32: (32, False), F.CPPTYPE_UINT64: (64, False)}


def fill(message, rng: random.Random, *, json: bool = False, depth: int = 0):
    """Sets random fields of `message`. With `json`, only values that JSON can tell apart and must accept."""
    name = message.DESCRIPTOR.full_name
    if json and name in JSON_VALUES:
        JSON_VALUES[name](message, rng)
        return message
    if depth and rng.random() < 0.15:
        return message
    chosen = {oneof.name: rng.choice([None, *oneof.fields]) for oneof in message.DESCRIPTOR.oneofs}
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof and chosen[field.containing_oneof.name] is not field:
            continue
        if not field.containing_oneof and rng.random() < 0.3:
            continue
        set_field(message, field, rng, json, depth)
    return message


def set_field(message, field, rng, json, depth):
    is_message = field.cpp_type == F.CPPTYPE_MESSAGE
    if is_map(field):
        entries = getattr(message, field.name)
        key, value = (field.message_type.fields_by_name[part] for part in ("key", "value"))
        if value.cpp_type == F.CPPTYPE_MESSAGE and depth >= DEEPEST:
            return
        for _ in range(rng.choice([0, 1, 2, 5])):
            name = scalar(key, rng, json)
            if name == "e\u0301":
                continue  # Swift's strings are equal when Unicode says so: this key would be the same as é.
            if value.cpp_type == F.CPPTYPE_MESSAGE:
                fill(entries[name], rng, json=json, depth=depth + 1)
            else:
                entries[name] = scalar(value, rng, json)
    elif is_message and depth >= DEEPEST:
        return
    elif field.is_repeated:
        items = getattr(message, field.name)
        for _ in range(rng.choice([0, 1, 2, 17])):
            if is_message:
                fill(items.add(), rng, json=json, depth=depth + 1)
            else:
                items.append(scalar(field, rng, json))
    elif is_message:
        getattr(message, field.name).SetInParent()
        fill(getattr(message, field.name), rng, json=json, depth=depth + 1)
    else:
        setattr(message, field.name, scalar(field, rng, json))


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def scalar(field, rng, json):
    kind = field.cpp_type
    if kind == F.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind == F.CPPTYPE_ENUM:
        if json and field.enum_type.full_name == "google.protobuf.NullValue":
            return 0
        known = [value.number for value in field.enum_type.values]
        # Of unknown numbers JSON has the number, which Python reads back.
        return rng.choice(known) if rng.random() < 0.8 else rng.choice([99, -99, 2**31 - 1, -(2**31)])
    if kind == F.CPPTYPE_STRING:
        if field.type == F.TYPE_BYTES:
            return rng.choice([b"", b"\0", b"\xff\xfe", rng.randbytes(rng.choice([1, 3, 100, 5000]))])
        return rng.choice(TEXTS)
    if kind in (F.CPPTYPE_FLOAT, F.CPPTYPE_DOUBLE):
        if rng.random() < 0.5:
            # Python reads the JSON number -0 as an integer, and refuses the greatest float that it writes itself.
            excluded = (0.0, INTERESTING[F.CPPTYPE_FLOAT][4]) if json else ()
            return rng.choice([value for value in INTERESTING[kind] if value not in excluded])
        value = rng.uniform(-1e6, 1e6)
        return struct.unpack("<f", struct.pack("<f", value))[0] if kind == F.CPPTYPE_FLOAT else value
    if rng.random() < 0.5:
        return rng.choice(INTERESTING[kind])
    bits, signed = BITS[kind]
    return rng.getrandbits(bits) - (1 << (bits - 1) if signed else 0)


def timestamp(message, rng):
    message.seconds = rng.choice([0, -1, 1, -62135596800, 253402300799, rng.randrange(-(10**10), 10**10)])
    message.nanos = rng.choice([0, 1, 999_999_999, 500_000_000, 1000])


def duration(message, rng):
    message.seconds = rng.choice([0, 1, -1, 315576000000, -315576000000])
    sign = (message.seconds > 0) - (message.seconds < 0) or rng.choice([-1, 1])
    message.nanos = sign * rng.choice([0, 1, 500_000_000, 120_000])


def field_mask(message, rng):
    message.paths.extend(rng.sample(["a", "some_field", "deep.er_field"], rng.randrange(3)))


def value(message, rng):
    kind = rng.choice(["null_value", "number_value", "string_value", "bool_value", "struct_value", "list_value"])
    if kind == "null_value":
        message.null_value = 0
    elif kind == "number_value":
        message.number_value = rng.choice([0.0, 1.0, -1.5, 1e300])
    elif kind == "string_value":
        message.string_value = rng.choice(TEXTS)
    elif kind == "bool_value":
        message.bool_value = rng.random() < 0.5
    elif kind == "struct_value":
        message.struct_value.SetInParent()
        message.struct_value.fields["key"].bool_value = True
    else:
        message.list_value.SetInParent()
        message.list_value.values.add().number_value = 2


def struct_value(message, rng):
    for key in rng.sample(["", "a", "b\0", "c"], rng.randrange(4)):
        value(message.fields[key], rng)


def list_value(message, rng):
    for _ in range(rng.randrange(4)):
        value(message.values.add(), rng)


def any_value(message, rng):
    """Left empty: what is inside an Any is the subject of tests of its own."""


JSON_VALUES = {
    "google.protobuf.Timestamp": timestamp,
    "google.protobuf.Duration": duration,
    "google.protobuf.FieldMask": field_mask,
    "google.protobuf.Value": value,
    "google.protobuf.Struct": struct_value,
    "google.protobuf.ListValue": list_value,
    "google.protobuf.Any": any_value,
}
