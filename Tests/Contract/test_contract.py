"""What must hold for every method that the protos declare, whoever adds one."""

import random

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from support import stubs
from support.people import Person, Stranger, outcome, violated_fields

SEED = 20_260_101
POLICY = "octet.options.v1.policy"
# As octet.options.v1.Access has it.
ROLE = 4


def services(*roots):
    for file in stubs.descriptor_set(*roots).file:
        if file.package.startswith("octet."):
            for service in file.service:
                yield f"{file.package}.{service.name}", service


def methods(*roots):
    return [(service, method) for service, descriptor in services(*roots) for method in descriptor.method]


METHODS = methods()
assert METHODS, "the descriptors name no method, so nothing would be tested"
NAMES = [f"{service}/{method.name}" for service, method in METHODS]


def policy_of(path):
    service, name = path.split("/")
    method = stubs.pool().FindServiceByName(service).methods_by_name[name]
    return method.GetOptions().Extensions[stubs.pool().FindExtensionByName(POLICY)]


def invoke(person, path, request, patience=3):
    """Calls a method of any kind with one message and returns its status. A stream may say nothing for as long as it is
    there."""
    method = person.method(path)
    if method.client_streaming or method.server_streaming:
        argument = iter([request]) if method.client_streaming else request

        def call():
            responses = person.stream(path, argument, timeout=patience)
            return responses if not method.server_streaming else next(iter(responses), None)

        return outcome(call)
    return outcome(lambda: person.call(path, request))


def random_message(full_name, rng):
    message = stubs.message_class(full_name)()
    try:
        message.ParseFromString(bytes([0x0A, 4]) + bytes(rng.randrange(32, 127) for _ in range(4)))
    except Exception:
        # The first field is not of a length-delimited kind: an unknown field does as well.
        message.ParseFromString(bytes([0xFA, 0x7F, 1, 0]))
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated or rng.random() < 0.3:
            continue
        if field.cpp_type == field.CPPTYPE_STRING and field.type == field.TYPE_STRING:
            setattr(message, field.name, "".join(rng.choice("aé_0\u0000x-") for _ in range(rng.randrange(0, 12))))
        elif field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_INT64):
            setattr(message, field.name, rng.randrange(-(2**31), 2**31))
        elif field.cpp_type in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
            setattr(message, field.name, rng.randrange(2**32))
        elif field.cpp_type == field.CPPTYPE_DOUBLE:
            setattr(message, field.name, rng.choice([float("nan"), float("inf"), -0.0, 1e308]))
        elif field.cpp_type == field.CPPTYPE_BOOL:
            setattr(message, field.name, True)
        elif field.cpp_type == field.CPPTYPE_MESSAGE:
            getattr(message, field.name).SetInParent()
    return message


@pytest.fixture(scope="module")
def stranger(server):
    """A caller without credentials."""
    return Stranger(server.channel())


@pytest.fixture(scope="module")
def user(server):
    return Person(server.channel(), "contract_user")


@pytest.fixture(scope="module")
def reader(server):
    """One who calls less often than there is a bound for."""
    return Person(server.channel(), "contract_reader")


def test_server_lists_every_service(server):
    listed = set(ProtoReflectionDescriptorDatabase(server.channel()).get_services())
    assert {service for service, _ in services()} <= listed
    assert {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} <= listed


@pytest.mark.parametrize("path", NAMES)
def test_has_a_policy(path):
    assert policy_of(path).access != 0


@pytest.mark.parametrize("path", NAMES)
def test_refuses_a_stranger_unless_public(path, stranger):
    request = stubs.message_class(stranger.method(path).input_type.full_name)()
    if policy_of(path).access == 1:
        code, _, _ = invoke(stranger, path, request)
        assert code not in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED)
    else:
        code, _, _ = invoke(stranger, path, request, patience=60)
        assert code == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("path", NAMES)
def test_answers_an_empty_and_a_random_message_properly(path, user):
    method = user.method(path)
    rng = random.Random(f"{SEED}/{path}")
    refused = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED}
    requests = [stubs.message_class(method.input_type.full_name)()]
    requests += [random_message(method.input_type.full_name, rng) for _ in range(5)]
    if path.endswith("SessionService/EndAllSessions"):
        requests = requests[:1]  # a valid one would end the session that the other tests use
    for request in requests:
        code, reason, _ = invoke(user, path, request)
        assert code not in refused, f"seed {SEED}: {path} answered {code} ({reason}) to\n{request}"


LISTS = [path for path in NAMES if path.split("/")[1].startswith("List") or path.endswith("/Search")]
# They give all there is at once: what is made of one file, and what the operator has set up.
WHOLE_LISTS = {"octet.media.v1.MediaService/ListRenditions", "octet.rides.v1.DriverService/ListVehicleCategories"}
LONGEST_PAGE = 500


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_paged_alike(path):
    service, name = path.split("/")
    method = stubs.pool().FindServiceByName(service).methods_by_name[name]
    fields = method.input_type.fields_by_name
    if path in WHOLE_LISTS:
        assert not {"page_size", "page_token"} & set(fields)
        return
    assert {"page_size", "page_token"} <= set(fields)
    assert "next_page_token" in method.output_type.fields_by_name
    rules = fields["page_size"].GetOptions().Extensions[stubs.pool().FindExtensionByName("octet.options.v1.rules")]
    assert (rules.minimum, rules.maximum) == (0, LONGEST_PAGE)


@pytest.mark.parametrize("path", LISTS)
def test_a_page_is_not_longer_than_may_be(path, reader):
    if path in WHOLE_LISTS:
        return
    request = stubs.message_class(reader.method(path).input_type.full_name)(page_size=LONGEST_PAGE + 1)
    try:
        reader.call(path, request)
    except grpc.RpcError as error:
        # Staff's lists are refused before anybody looks at the page.
        if policy_of(path).access == ROLE:
            assert error.code() == grpc.StatusCode.PERMISSION_DENIED
            return
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "page_size" in violated_fields(error)
    else:
        pytest.fail("a page of 501 was given")


def test_a_caller_may_have_so_many_of_each_stream_and_no_more():
    """Streams stay: without a bound one caller could hold as many as the server has."""
    streams = {f"{service}/{method.name}" for service, method in methods(*stubs.ALL_ROOTS) if method.server_streaming}
    assert len(streams) > 10
    assert {path for path in streams if not policy_of(path).max_concurrent_calls_per_caller} == set()


MONEY = "octet.type.v1.Money"
# They speak of amounts, and neither move money nor book anything: a flag's value, a table's row, a quote.
SPEAK_OF_AMOUNTS = {
    "octet.admin.v1.AdminService/PutFlag",
    "octet.admin.v1.AdminService/PutTableRow",
    "octet.rides.v1.PricingService/EstimateFare",
}


def reachable(descriptor, found):
    """The names of all messages that may be in one, itself among them."""
    if descriptor.full_name not in found:
        found.add(descriptor.full_name)
        for field in descriptor.fields:
            if field.message_type is not None:
                reachable(field.message_type, found)
    return found


def has_amount(path):
    service, name = path.split("/")
    method = stubs.pool().FindServiceByName(service).methods_by_name[name]
    return MONEY in reachable(method.output_type, reachable(method.input_type, set()))


def test_what_money_or_a_booking_depends_on_keeps_its_request_ids():
    mutating = {path for path in NAMES if policy_of(path).mutates}
    kept = {path for path in NAMES if policy_of(path).keeps_request_ids}
    amounts = {path for path in mutating if has_amount(path)}
    assert amounts > SPEAK_OF_AMOUNTS
    assert amounts - kept == SPEAK_OF_AMOUNTS
    assert kept <= mutating


def commented_elements(file):
    """(path, name) of everything that needs a comment, by the numbers that descriptor.proto gives."""
    for i, service in enumerate(file.service):
        yield (6, i), service.name
        for j, method in enumerate(service.method):
            yield (6, i, 2, j), f"{service.name}.{method.name}"
    for i, enum in enumerate(file.enum_type):
        yield (5, i), enum.name
        for j, value in enumerate(enum.value):
            yield (5, i, 2, j), value.name
    for i, message in enumerate(file.message_type):
        yield from commented_messages(message, (4, i))


def commented_messages(message, path):
    if message.options.map_entry:
        return
    yield path, message.name
    for i, field in enumerate(message.field):
        yield (*path, 2, i), f"{message.name}.{field.name}"
    for i, nested in enumerate(message.nested_type):
        yield from commented_messages(nested, (*path, 3, i))


OWN_FILES = [file for file in stubs.descriptor_set().file if file.package.startswith("octet.")]


@pytest.mark.parametrize("file", OWN_FILES, ids=lambda file: file.name)
def test_everything_is_commented(file):
    comments = {tuple(location.path): location.leading_comments for location in file.source_code_info.location}
    missing = [name for path, name in commented_elements(file) if not comments.get(path, "").strip()]
    assert missing == []
