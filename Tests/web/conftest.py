"""octet-interop behind the web protocols, and the ways to reach it."""

import dataclasses

import pytest
from support.curl import curl
from support.server import Server

SERVICE = "grpc.testing.TestService"


@dataclasses.dataclass
class Web:
    """One way to reach the server: an address and what curl needs for it."""

    base: str
    flags: tuple
    http_version: str

    def url(self, method):
        return f"{self.base}/{SERVICE}/{method}"

    def post(self, method, data, content_type="application/json", headers=(), flags=()):
        data = data.encode() if isinstance(data, str) else data
        answer = curl(
            self.url(method), *self.flags, *flags, data=data, content_type=content_type, headers=headers
        )
        assert answer.version == self.http_version
        return answer

    def get(self, method, headers=(), flags=()):
        return curl(self.url(method), *self.flags, *flags, headers=headers)


@pytest.fixture(scope="session")
def cleartext(tmp_path_factory):
    flags = ("--loops", "1", "--cors-origin", "https://console.test")
    with Server(tmp_path_factory.mktemp("unused"), *flags, program="octet-interop") as server:
        yield server


@pytest.fixture(scope="session")
def encrypted(tmp_path_factory, tls):
    flags = ("--loops", "1", "--tls-cert", tls / "cert.pem", "--tls-key", tls / "key.pem")
    with Server(tmp_path_factory.mktemp("unused"), *flags, program="octet-interop") as server:
        yield server


@pytest.fixture(params=["h1", "h2c", "h1 over TLS", "h2"])
def web(request, cleartext, encrypted, tls):
    """The server over each version of HTTP, in the clear and over TLS."""
    authority = ("--cacert", str(tls / "ca.pem"))
    return {
        "h1": Web(f"http://{cleartext.address}", (), "1.1"),
        "h2c": Web(f"http://{cleartext.address}", ("--http2-prior-knowledge",), "2"),
        "h1 over TLS": Web(f"https://{encrypted.tls_address}", ("--http1.1", *authority), "1.1"),
        "h2": Web(f"https://{encrypted.tls_address}", authority, "2"),
    }[request.param]


@pytest.fixture
def h2c(cleartext):
    return Web(f"http://{cleartext.address}", ("--http2-prior-knowledge",), "2")
