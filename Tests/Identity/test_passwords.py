"""The passwords that thieves try first, as another program knows them, are all refused."""

import functools

import grpc
import pytest
from support import stubs
from support.notices import FLAGS
from support.people import Stranger, outcome, request_id
from support.server import Server
from zxcvbn.frequency_lists import FREQUENCY_LISTS

MOST_COMMON = 10_000
SHORTEST = 10

accounts = stubs.module("octet.identity.v1.account_service_pb2")


@pytest.fixture(scope="module")
def channel(tmp_path_factory, tls):
    with Server(tmp_path_factory.mktemp("data"), *FLAGS, tls=tls) as server, server.channel() as channel:
        yield channel


def test_the_most_common_passwords_that_are_long_enough_are_refused(channel):
    stranger = Stranger(channel)
    common = [password for password in FREQUENCY_LISTS["passwords"][:MOST_COMMON] if len(password) >= SHORTEST]
    assert len(common) > 200
    taken = []
    for password in common:
        request = accounts.RegisterRequest(request_id=request_id(), handle="somebody_new", password=password)
        code, reason, _ = outcome(functools.partial(stranger.call, "octet.identity.v1.AccountService/Register", request))
        if (code, reason) != (grpc.StatusCode.INVALID_ARGUMENT, "WEAK_PASSWORD"):
            taken.append(password)
    assert taken == []
