"""Accounts on a server: registering, logging in, and calling with the access token."""

import concurrent.futures
import functools
import time
import uuid

import grpc

from . import stubs

PASSWORD = "correct horse battery staple"
# Of the people that --seed-demo makes.
DEMO_PASSWORD = "octet-demo-2026"
DEADLINE_SECONDS = 300
# A token is good for twice as long.
TOKEN_SECONDS = 300


def request_id():
    return str(uuid.uuid4())


def method_descriptor(path):
    service, name = path.split("/")
    return stubs.pool().FindServiceByName(service).methods_by_name[name]


@functools.lru_cache(maxsize=1024)
def callable_of(channel, path):
    """grpc's callable for a method of any kind."""
    method = method_descriptor(path)
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    return kinds[method.client_streaming, method.server_streaming](
        f"/{path}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=stubs.message_class(method.output_type.full_name).FromString,
    )


class Stranger:
    """A caller without credentials."""

    def __init__(self, channel):
        self.channel = channel
        self.token = None

    @property
    def metadata(self):
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def method(self, path):
        """The descriptor of `octet.rides.v1.RideService/GetRide`, say."""
        return method_descriptor(path)

    def _callable(self, path):
        return callable_of(self.channel, path)

    def call(self, path, request, timeout=DEADLINE_SECONDS, metadata=()):
        """A unary call."""
        return self._callable(path)(request, timeout=timeout, metadata=(*self.metadata, *metadata))

    def begin(self, path, request, timeout=DEADLINE_SECONDS):
        """A unary call that goes on in the background; returns a grpc.Future."""
        return self._callable(path).future(request, timeout=timeout, metadata=self.metadata)

    def stream(self, path, request, timeout=DEADLINE_SECONDS, metadata=()):
        """A call whose response, or whose both sides, are streams; `request` is a message or an iterator."""
        return self._callable(path)(request, timeout=timeout, metadata=(*self.metadata, *metadata))


def log_in(stranger, name, password=PASSWORD, key=None, **options):
    """Begins a session; `name` is a handle or a contact, `key` the device's SigningKey if it proves one."""
    sessions = stubs.module("octet.identity.v1.session_service_pb2")
    identifier = request_id()
    device = key and sessions.Device(public_key=key.public, signature=key.sign(identifier))
    request = sessions.LoginRequest(request_id=identifier, login_name=name, password=password, device=device)
    return stranger.call("octet.identity.v1.SessionService/Login", request, **options)


class Person(Stranger):
    """A signed-in user, on a device that proves its SigningKey if there is one."""

    def __init__(self, channel, handle, password=PASSWORD, register=True, key=None):
        super().__init__(channel)
        self.handle, self.password, self.key = handle, password, key
        accounts = stubs.module("octet.identity.v1.account_service_pb2")
        if register:
            self.call(
                "octet.identity.v1.AccountService/Register",
                accounts.RegisterRequest(request_id=request_id(), handle=handle, password=password),
            )
        self.log_in()
        self.user_id = self.login.user.id

    def log_in(self):
        """Begins a session. Its token is good for ten minutes."""
        self.token, began = None, time.monotonic()
        self.login = log_in(self, self.handle, self.password, self.key)
        self.token, self.logged_in_at = self.login.tokens.access_token, began

    def renew(self):
        """Logs in again before the token is over."""
        if time.monotonic() - self.logged_in_at > TOKEN_SECONDS:
            self.log_in()


def newcomers(channel, count):
    """So many who have just registered."""
    # Most of the time goes into their passwords.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: Person(channel, f"user_{request_id()[:8]}"), range(count)))


def first_row(stream):
    """The first row of a stream that says more than that the server is alive."""
    return next(row for row in stream if row.ByteSize())


def detail_of(error, name):
    """The detail of a grpc.RpcError that google.rpc calls so, or None."""
    status_pb2 = stubs.module("google.rpc.status_pb2")
    detail = getattr(stubs.module("google.rpc.error_details_pb2"), name)()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for any_value in status_pb2.Status.FromString(value).details:
                if any_value.Is(detail.DESCRIPTOR) and any_value.Unpack(detail):
                    return detail
    return None


def info_of(error):
    """A grpc.RpcError's ErrorInfo, or None."""
    return detail_of(error, "ErrorInfo")


def reason_of(error):
    """The reason in a grpc.RpcError's ErrorInfo, or None."""
    info = info_of(error)
    return info and info.reason


def violated_fields(error):
    """The fields that a grpc.RpcError's BadRequest names."""
    bad = detail_of(error, "BadRequest")
    return {violation.field for violation in bad.field_violations} if bad else set()


def outcome(call):
    """Runs `call` and returns (code, reason, result)."""
    try:
        return grpc.StatusCode.OK, None, call()
    except grpc.RpcError as error:
        return error.code(), reason_of(error), None
