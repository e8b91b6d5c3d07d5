"""curl with JSON against every unary method of octetd."""

import json
import subprocess
import time

import pytest
from support import stubs
from support.curl import curl
from support.people import PASSWORD, TOKEN_SECONDS, request_id
from support.server import BUILD, Server


def unary_methods():
    for file in stubs.descriptor_set().file:
        if file.package.startswith("octet."):
            for service in file.service:
                for method in service.method:
                    if not method.client_streaming and not method.server_streaming:
                        yield f"{file.package}.{service.name}/{method.name}"


METHODS = sorted(unary_methods())
assert METHODS, "the descriptors name no method, so nothing would be tested"


def post(server, path, body, *headers):
    return curl(
        f"http://{server.address}/{path}", data=json.dumps(body).encode(),
        content_type="application/json", headers=headers,
    )  # fmt: skip


class Account:
    """Somebody whom curl alone has registered."""

    def __init__(self, server):
        self._server = server
        account = {"requestId": request_id(), "handle": "curl_user", "password": PASSWORD}
        assert post(server, "octet.identity.v1.AccountService/Register", account).json["handle"] == "curl_user"
        self._log_in()

    def _log_in(self):
        self._logged_in_at = time.monotonic()
        login = {"requestId": request_id(), "loginName": "curl_user", "password": PASSWORD}
        answer = post(self._server, "octet.identity.v1.SessionService/Login", login)
        self._token = answer.json["tokens"]["accessToken"]

    def token(self):
        if time.monotonic() - self._logged_in_at > TOKEN_SECONDS:
            self._log_in()
        return self._token


@pytest.fixture(scope="module")
def account(server):
    return Account(server)


@pytest.fixture
def token(account):
    return account.token()


@pytest.mark.parametrize("path", METHODS)
def test_every_unary_method_answers_json(server, token, path):
    """Nothing is asked for, so the answer is a message, or an error that says what is missing or not allowed."""
    answer = post(server, path, {}, f"authorization: Bearer {token}")
    assert answer.headers["content-type"] == "application/json"
    if answer.status != 200:
        assert answer.json["code"] in {"invalid_argument", "permission_denied", "failed_precondition", "not_found"}
        assert answer.json["message"]
        assert answer.json["details"][0]["debug"]["reason"]


def test_violations_are_readable(server):
    answer = post(server, "octet.identity.v1.AccountService/Register", {"handle": "x"})
    assert answer.status == 400
    details = {detail["type"]: detail["debug"] for detail in answer.json["details"]}
    fields = {violation["field"] for violation in details["google.rpc.BadRequest"]["fieldViolations"]}
    assert {"request_id", "handle", "password"} <= fields


def test_a_stranger_is_told_so(server):
    answer = post(server, "octet.rides.v1.RideService/ListRides", {})
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")


def test_get_by_declared_policy(server, token):
    url = f"http://{server.address}/octet.rides.v1.ZoneService/ListZones?encoding=json&message=%7B%7D"
    answer = curl(url, headers=[f"authorization: Bearer {token}"])
    assert answer.status == 200
    assert answer.json["zones"]
    url = f"http://{server.address}/octet.rides.v1.RideService/RequestRide?encoding=json&message=%7B%7D"
    assert curl(url).status == 405


def test_health_over_tls(server):
    answer = curl(
        f"https://{server.tls_address}/grpc.health.v1.Health/Check", "--cacert", str(server.tls / "ca.pem"),
        data=b"{}", content_type="application/json",
    )  # fmt: skip
    assert answer.json == {"status": "SERVING"}
    assert answer.version == "2"


def test_there_is_no_cors_by_default(server):
    headers = ["origin: https://console.test", "access-control-request-method: POST"]
    url = f"http://{server.address}/octet.rides.v1.RideService/ListRides"
    answer = curl(url, "-X", "OPTIONS", headers=headers)
    assert answer.status == 405
    assert "access-control-allow-origin" not in answer.headers


def test_the_web_can_be_switched_off(tmp_path):
    with Server(tmp_path / "data", "--web=false") as server:
        assert post(server, "grpc.health.v1.Health/Check", {}).status == 415


def test_cors_by_flags(tmp_path):
    flags = ("--cors-origin", "https://a.test,https://b.test:8443", "--cors-header", "X-Tenant", "--cors-max-age", "60")
    with Server(tmp_path / "data", *flags) as server:
        asked = ["access-control-request-method: POST", "access-control-request-headers: x-tenant,authorization"]
        url = f"http://{server.address}/grpc.health.v1.Health/Check"
        options = ("-X", "OPTIONS")
        answer = curl(url, *options, headers=["origin: https://b.test:8443", *asked])
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "https://b.test:8443"
        assert answer.headers["access-control-max-age"] == "60"
        assert curl(url, *options, headers=["origin: https://b.test", *asked]).status == 403
        asked[1] += ",x-other"
        assert curl(url, *options, headers=["origin: https://a.test", *asked]).status == 403


@pytest.mark.parametrize(
    "flags",
    [
        ("--cors-origin", "a.test"), ("--cors-origin", "https://a.test/"), ("--cors-origin", "*,https://a.test"),
        ("--cors-header", "x-a"), ("--cors-origin", "*", "--cors-max-age", "-1"), ("--web=maybe",),
    ],
)  # fmt: skip
def test_wrong_flags_are_refused(tmp_path, flags):
    done = subprocess.run(
        [BUILD / "octetd", "--listen", "127.0.0.1:0", "--data", tmp_path / "data", *flags],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 64, done.stderr
