"""Service configs from DNS (gRPC's A2): octet-interop as a client that looks its server's name up at a name server made
with dnslib."""

import json
import subprocess

import pytest
from dnslib import QTYPE, RCODE, RR, TXT
from dnslib.server import DNSServer
from support.server import BUILD

TIMEOUT_SECONDS = 300
# All that large_unary sends is longer.
SMALL_REQUESTS = {"methodConfig": [{"name": [{"service": "grpc.testing.TestService"}], "maxRequestMessageBytes": 1000}]}


class Zone:
    """Answers with one list of TXT records for one name; a record is a list of strings. A context manager."""

    def __init__(self, *records, name="_grpc_config.localhost.", rcode=None):
        self.records = records
        self.name = name
        self.rcode = rcode
        self.asked = []

    def resolve(self, request, handler):
        self.asked.append((str(request.q.qname), QTYPE[request.q.qtype], handler.protocol))
        reply = request.reply()
        if self.rcode is not None:
            reply.header.rcode = self.rcode
        elif request.q.qname != self.name:
            reply.header.rcode = RCODE.NXDOMAIN
        else:
            for strings in self.records:
                reply.add_answer(RR(self.name, QTYPE.TXT, rdata=TXT(strings), ttl=60))
        if handler.protocol == "udp" and len(reply.pack()) > 512:
            # Too long for a datagram of plain DNS: it is to be asked for by TCP.
            reply = request.reply()
            reply.header.tc = 1
        return reply

    def __enter__(self):
        # The same port for both; one that is free for the one is mostly free for the other.
        for _ in range(50):
            self.udp = DNSServer(self, address="127.0.0.1", port=0)
            self.port = self.udp.server.server_address[1]
            try:
                self.tcp = DNSServer(self, address="127.0.0.1", port=self.port, tcp=True)
                break
            except OSError:
                self.udp.server.server_close()
        for server in (self.udp, self.tcp):
            server.start_thread()
        return self

    def __exit__(self, *_):
        for server in (self.udp, self.tcp):
            server.stop()
            server.server.server_close()


def record(*choices):
    """The strings of a record; DNS has room for 255 octets in each."""
    text = "grpc_config=" + json.dumps(choices)
    return [text[start : start + 255] for start in range(0, len(text), 255)]


def run(server_address, zone, case="large_unary", host="localhost"):
    port = server_address.rsplit(":", 1)[1]
    command = [BUILD / "octet-interop", "--client", f"--server={host}:{port}", f"--test_case={case}"]
    if zone is not None:
        command.append(f"--name_server=127.0.0.1:{zone.port}")
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    return "" if result.returncode == 0 else result.stderr


def test_the_config_of_a_name_is_obeyed(server_address):
    with Zone(["v=spf1 -all"], record({"serviceConfig": SMALL_REQUESTS})) as zone:
        error = run(server_address, zone)
        assert "RESOURCE_EXHAUSTED" in error and "service config" in error
        # Short ones are not touched.
        assert run(server_address, zone, "empty_unary") == ""
    assert set(zone.asked) == {("_grpc_config.localhost.", "TXT", "udp")}


def test_a_choice_for_others_is_not_ours(server_address):
    choices = [
        {"clientLanguage": ["go", "c++"], "serviceConfig": SMALL_REQUESTS},
        {"clientHostName": ["no-such-host"], "serviceConfig": SMALL_REQUESTS},
        {"percentage": 0, "serviceConfig": SMALL_REQUESTS},
        {"clientLanguage": ["SWIFT"], "percentage": 100, "serviceConfig": {}},
        {"serviceConfig": SMALL_REQUESTS},
    ]
    with Zone(record(*choices)) as zone:
        assert run(server_address, zone) == ""


def test_a_record_beyond_one_datagram_comes_by_tcp(server_address):
    padding = [{"clientLanguage": [f"language-{number}"], "serviceConfig": {}} for number in range(100)]
    with Zone(record(*padding, {"serviceConfig": SMALL_REQUESTS})) as zone:
        assert "RESOURCE_EXHAUSTED" in run(server_address, zone)
    assert {protocol for _, _, protocol in zone.asked} == {"udp", "tcp"}


@pytest.mark.parametrize("zone", [Zone(), Zone(["v=spf1 -all"]), Zone(name="elsewhere."), Zone(record())])
def test_a_name_without_a_config_is_called_as_ever(server_address, zone):
    with zone:
        assert run(server_address, zone) == ""
    assert zone.asked


def test_a_config_that_is_wrong_fails_calls(server_address):
    with Zone(["grpc_config=[{"]) as zone:
        error = run(server_address, zone)
    assert "UNAVAILABLE" in error and "no JSON" in error


def test_a_name_server_that_fails_fails_calls(server_address):
    with Zone(rcode=RCODE.SERVFAIL) as zone:
        error = run(server_address, zone)
    assert "UNAVAILABLE" in error and "_grpc_config.localhost" in error


def test_nobody_is_asked_about_an_address_or_without_being_told(server_address):
    with Zone(record({"serviceConfig": SMALL_REQUESTS})) as zone:
        assert run(server_address, zone, host="127.0.0.1") == ""
        assert run(server_address, None) == ""
    assert zone.asked == []
