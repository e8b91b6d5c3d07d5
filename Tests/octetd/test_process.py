"""octetd as a process: how it starts, what it says, how it ends."""

import json
import signal
import socket
import ssl
import subprocess
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support.health import check_health
from support.promises import TRIES, within
from support.raw import RawClient, frame
from support.server import BUILD, Server, make_certificate

# With a second of it for the drain. One in many is as fast also where a machine is busy.
EXIT_SECONDS = 8


def run(*arguments, env=None):
    return subprocess.run(
        [BUILD / "octetd", *map(str, arguments)], capture_output=True, text=True, timeout=120, env=env
    )


def last_event(stderr):
    return json.loads(stderr.strip().splitlines()[-1])


def peer_certificate(server):
    context = ssl.create_default_context(cafile=server.tls / "ca.pem")
    context.set_alpn_protocols(["h2"])
    host, port = server.tls_address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=120) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as connection:
            assert connection.selected_alpn_protocol() == "h2"
            return connection.getpeercert(binary_form=True)


def test_help_names_every_flag_and_exit_code():
    result = run("--help")
    assert result.returncode == 0
    connections = ("--tls-client-ca", "--tls-client-auth", "--keepalive-time", "--max-connection-age", "--reuse-port")
    for flag in ("--listen", "--tls-listen", "--data", "--services", "--loops", "--config", "--seed-demo", *connections):
        assert flag in result.stdout
    assert "Exit codes" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nonsense"], "unknown flag --nonsense"),
        (["--listen"], "--listen needs a value"),
        (["--loops", "0"], "loops"),
        (["--loops", "many"], "loops"),
        (["--tls-listen", "127.0.0.1:0"], "--tls-certificate"),
        (["--tls-certificate", "a.pem,b.pem", "--tls-key", "a.key"], "tls-key"),
        (["--tls-client-auth", "perhaps"], "tls-client-auth"),
        (["--tls-client-auth", "required"], "--tls-client-ca"),
        (["--keepalive-time", "soon"], "keepalive-time"),
        (["--max-connection-idle", "-1"], "max-connection-idle"),
        (["--max-connections-per-address", "0"], "max-connections-per-address"),
        (["--max-held-bytes", "1000"], "max-held-bytes"),
        (["--message-period", "-1"], "message-period"),
        (["--min-receive-rate", "fast"], "min-receive-rate"),
        (["--message-timeout", "0"], "message-timeout"),
        (["--unix-mode", "rw"], "unix-mode"),
        (["--services", "rides,nonsense"], "nonsense"),
        (["--seed-demo=perhaps"], "seed-demo"),
        (["--log-level", "loud"], "log-level"),
        (["--queue-delay", "soon"], "queue-delay"),
        (["--busy-poll", "2ms"], "busy-poll"),
        (["--rate-limits", "standard=5"], "rate-limits"),
        (["--rate-limits", "standard=0/5"], "rate-limits"),
        (["--rate-limits", "huge=1/5"], "rate-limits"),
        (["--limits", "sessions"], "limits"),
        (["--limits", "sessions=0"], "sessions"),
        (["--limits", "wishes=3"], "wishes"),
        (["--password-cost", "64"], "MIB/PASSES"),
        (["--password-cost", "64/0"], "MIB/PASSES"),
        (["--password-cost", "8192/1"], "MIB/PASSES"),
        (["--password-cost", "18/2"], "18/2 is less than"),
        (["--config", "/nonexistent/file"], "/nonexistent/file"),
        (["frobnicate"], "frobnicate"),
        ([], "listen"),
    ],
)
def test_refuses_a_wrong_command_line(arguments, message, tmp_path):
    result = run("--data", tmp_path, *arguments)
    assert result.returncode == 64, result.stderr
    assert message in result.stderr


def test_reads_the_environment_and_the_file_and_flags_win(tmp_path):
    config = tmp_path / "octetd.conf"
    config.write_text("# for the test\nloops = nonsense-from-file\nlog-level = debug\n")
    environment = {"OCTET_CONFIG": str(config), "OCTET_DATA": str(tmp_path / "data")}
    assert "nonsense-from-file" in run("--listen", "127.0.0.1:0", env=environment).stderr
    environment["OCTET_LOOPS"] = "nonsense-from-environment"
    assert "nonsense-from-environment" in run("--listen", "127.0.0.1:0", env=environment).stderr
    assert "nonsense-from-flag" in run("--loops", "nonsense-from-flag", env=environment).stderr


def test_serves_health_on_cleartext_and_tls(tmp_path, tls):
    with Server(tmp_path, tls=tls) as server:
        for channel in (server.channel(), server.secure_channel()):
            assert check_health(channel) == health_pb2.HealthCheckResponse.SERVING
            assert check_health(channel, "octet.rides.v1.RideService") == health_pb2.HealthCheckResponse.SERVING


def self_signed(folder, name):
    """A certificate for `name`.example that is its own authority."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}.example", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def test_asks_clients_for_certificates(tmp_path, tls):
    certificate, key = self_signed(tmp_path, "courier")
    with Server(tmp_path, "--tls-client-ca", certificate, tls=tls) as server:
        authority = (tls / "ca.pem").read_bytes()
        shown = grpc.ssl_channel_credentials(authority, key.read_bytes(), certificate.read_bytes())
        with grpc.secure_channel(server.tls_address, shown) as channel:
            assert check_health(channel) == health_pb2.HealthCheckResponse.SERVING
        with server.secure_channel() as channel, pytest.raises(grpc.RpcError) as error:
            check_health(channel)
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE


def test_chooses_the_certificate_by_name(tmp_path, tls):
    certificate, key = self_signed(tmp_path, "second")
    flags = ["--tls-listen", "127.0.0.1:0"]
    flags += ["--tls-certificate", f"{tls / 'cert.pem'},{certificate}", "--tls-key", f"{tls / 'key.pem'},{key}"]
    with Server(tmp_path, *flags) as server:
        context = ssl.create_default_context(cafile=tls / "ca.pem")
        context.load_verify_locations(certificate)
        context.set_alpn_protocols(["h2"])
        host, port = server.tls_address.rsplit(":", 1)
        for name, subject in (("localhost", None), ("second.example", "second")):
            with socket.create_connection((host, int(port)), timeout=120) as raw:
                with context.wrap_socket(raw, server_hostname=name) as connection:
                    names = dict(part[0] for part in connection.getpeercert()["subject"])
                    assert subject is None or names["commonName"] == subject


def test_lets_clients_ping_as_often_as_it_says(tmp_path):
    """A stream without messages, whose client pings more often than is usual, lives as long as it wants to."""
    options = [
        ("grpc.keepalive_time_ms", 100),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    flags = ["--keepalive-min-interval", "0", "--keepalive-without-calls"]
    with Server(tmp_path, *flags) as server, grpc.insecure_channel(server.address, options) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=2)
        with pytest.raises(grpc.RpcError) as error:
            while True:
                next(watch)
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_drains_old_connections(tmp_path):
    """Each call is answered, though its connection is a second old at most; ages differ by a tenth."""
    with Server(tmp_path, "--max-connection-age", "1") as server, server.channel() as channel:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert check_health(channel) == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("flags", [("--min-receive-rate", 1 << 30), ("--message-timeout", 1)])
def test_ends_messages_that_come_too_slowly(flags, tmp_path):
    """A message of 4 MiB of which 2 KiB come each time: far more than the usual rate, so that nothing else ends it."""
    with Server(tmp_path, "--message-period", 1, *flags) as server, RawClient(server.address) as client:
        answer = client.trickle("/grpc.health.v1.Health/Check", b"\0\0\x40\0\0", bytes(2048))
        assert answer.status == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]


def test_listens_at_a_unix_socket_with_its_mode(tmp_path):
    path = tmp_path / "octetd.sock"
    with Server(tmp_path, "--listen", f"unix:{path}", "--unix-mode", "600"):
        assert path.stat().st_mode & 0o777 == 0o600
        with grpc.insecure_channel(f"unix:{path}") as channel:
            assert check_health(channel) == health_pb2.HealthCheckResponse.SERVING
    assert not path.exists()


def test_serves_only_the_chosen_domains(tmp_path):
    with Server(tmp_path, "--services", "identity") as server:
        assert check_health(server.channel(), "octet.identity.v1.SessionService") == 1
        with pytest.raises(grpc.RpcError) as error:
            check_health(server.channel(), "octet.rides.v1.RideService")
        assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_logs_one_json_object_a_line(tmp_path):
    with Server(tmp_path) as server:
        pass
    assert server.log
    for line in server.log:
        assert {"time", "level", "event"} <= json.loads(line).keys()


def test_an_address_in_use_is_a_clear_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("--listen", address, "--data", tmp_path)
    assert result.returncode == 69
    assert address in last_event(result.stderr)["message"]


def test_an_unusable_data_directory_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    result = run("--listen", "127.0.0.1:0", "--data", tmp_path / "file")
    assert result.returncode == 74
    assert str(tmp_path / "file") in last_event(result.stderr)["message"]


def test_a_second_server_on_the_same_data_is_refused(tmp_path):
    with Server(tmp_path):
        result = run("--listen", "127.0.0.1:0", "--data", tmp_path)
    assert result.returncode == 74
    assert "in use" in last_event(result.stderr)["message"]


def test_sigterm_ends_watches_and_exits_in_time(tmp_path):
    taken = []
    while len(taken) < TRIES and min(taken, default=EXIT_SECONDS) >= EXIT_SECONDS:
        taken.append(seconds_to_exit(tmp_path))
    assert min(taken) < EXIT_SECONDS


def seconds_to_exit(folder):
    """From SIGTERM on, with a watch that is open."""
    server = Server(folder, "--drain-timeout", "1")
    stub = health_pb2_grpc.HealthStub(server.channel())
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""), timeout=300)
    assert next(iter(watch)).status == health_pb2.HealthCheckResponse.SERVING
    ended = threading.Event()

    def drain_watch():
        try:
            for _ in watch:
                pass
        except grpc.RpcError:
            pass
        ended.set()

    threading.Thread(target=drain_watch, daemon=True).start()
    began = time.monotonic()
    assert server.stop() == 0
    seconds = time.monotonic() - began
    assert ended.wait(120)
    return seconds


def test_a_unary_call_without_a_deadline_gets_one_and_a_stream_does_not(tmp_path):
    with Server(tmp_path, "--default-deadline", "1") as server, RawClient(server.address) as client:
        # The requests of both do not come.
        watch = client.begin("/grpc.health.v1.Health/Watch")
        answer = client.read(client.begin("/grpc.health.v1.Health/Check"))
        assert answer.status == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
        client.send(watch, frame(b""), end=True)
        assert client.read(watch, until=lambda answer: answer.body).messages


def test_sighup_reloads_the_certificate(tmp_path):
    tls = make_certificate(tmp_path / "tls")
    with Server(tmp_path / "data", tls=tls) as server:
        before = peer_certificate(server)
        for name in ("cert.pem", "key.pem", "ca.pem"):
            (tls / name).unlink()
        make_certificate(tls)
        server.process.send_signal(signal.SIGHUP)
        # The log line says when the new certificate is in force, so the test waits for it and not for a time.
        within(10, lambda: any("certificate_reloaded" in line for line in server.log), "it was not reloaded")
        assert peer_certificate(server) != before


def test_a_broken_certificate_keeps_the_old_one_on_sighup(tmp_path):
    tls = make_certificate(tmp_path / "tls")
    with Server(tmp_path / "data", tls=tls) as server:
        before = peer_certificate(server)
        (tls / "cert.pem").write_text("not a certificate")
        server.process.send_signal(signal.SIGHUP)
        within(10, lambda: any("certificate_not_reloaded" in line for line in server.log), "nothing was said")
        assert peer_certificate(server) == before


def test_a_request_that_is_not_grpc_gets_a_proper_answer(tmp_path):
    with Server(tmp_path) as server:
        result = subprocess.run(
            ["curl", "-s", "--http2-prior-knowledge", "-i", "-d", "{}", "-H", "content-type: text/plain",
             f"http://{server.address}/octet.rides.v1.RideService/GetRide"],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    head, _, body = result.stdout.replace("\r\n", "\n").partition("\n\n")
    assert head.splitlines()[0].split()[1] == "415"
    assert body.strip()
