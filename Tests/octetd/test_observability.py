"""What an operator sees of a running octetd: metrics, probes, access log, slow calls."""

import http.client
import json
import signal
import subprocess

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from support.health import check_health
from support.nats import nats
from support.observing import PARENT_ID, TRACE_ID, get, log_lines, metrics, samples, value
from support.people import Person
from support.postgres import name_of
from support.promises import within
from support.server import BUILD, Server

HEALTH_CHECK = {"grpc_service": "grpc.health.v1.Health", "grpc_method": "Check", "grpc_type": "unary"}
# How often a node looks for timers that others have set.
LOOKED_SECONDS = 1
# Tables without which something fails in the background, as what it is counted, and how it is logged.
BACKGROUND = [
    ("octet_timers", "timers", "timers_failed", None),
    ("admin_flags", "catch_up", "catch_up_failed", "flags"),
    ("social_word_lists", "catch_up", "catch_up_failed", "word lists"),
    ("sight_notes", "catch_up", "catch_up_failed", "what was hidden"),
]
# How long an attempt to reach the bus may take.
BUS_SECONDS = 5


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("data"), "--admin-listen", "0", "--loops", "2") as server:
        yield server


def test_a_port_alone_is_on_the_loopback(observed):
    assert observed.ready["admin"].startswith("127.0.0.1:")


def test_both_forms_of_metrics_are_what_prometheus_reads(observed):
    before = metrics(observed)
    for _ in range(20):
        check_health(observed.channel())
    text = get(observed.ready["admin"], "/metrics")
    assert text.status == 200
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    openmetrics = get(
        observed.ready["admin"], "/metrics", "-H", "accept: application/openmetrics-text; version=1.0.0; charset=utf-8"
    )
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    for found in samples(text_families(text.body)), samples(openmetrics_families(openmetrics.body)):
        for name in "grpc_server_started_total", "grpc_server_msg_received_total", "grpc_server_msg_sent_total":
            assert value(found, name, **HEALTH_CHECK) - value(before, name, **HEALTH_CHECK) == 20
        assert value(found, "grpc_server_handled_total", grpc_code="OK", **HEALTH_CHECK) >= 20
        assert value(found, "grpc_server_active_calls", **HEALTH_CHECK) == 0
        # Each answer is a status of two bytes behind a prefix of five.
        sent = "grpc_server_sent_bytes_total"
        assert value(found, sent, **HEALTH_CHECK) - value(before, sent, **HEALTH_CHECK) == 20 * 7
        assert value(found, "grpc_server_handling_seconds_count", **HEALTH_CHECK) >= 20
        assert value(found, "grpc_server_handling_seconds_sum", **HEALTH_CHECK) > 0
        assert value(found, "octet_loop_lag_seconds_count", loop="0") >= 0
        assert value(found, "octet_loop_lag_seconds_count", loop="1") >= 0
        assert value(found, "octet_connections_accepted_total") >= 1
        assert value(found, "octet_tls_handshakes_total", outcome="failed") == 0
        assert value(found, "octet_storage_waiting", queue="write") >= 0
        assert value(found, "octet_background_failures_total", work="sweeps") == 0
        assert value(found, "octet_sqlite_checkpoints_total") >= 0
        assert value(found, "octet_sqlite_checkpoints_outrun_total") == 0
        assert value(found, "process_resident_memory_bytes") > 1 << 20
        assert value(found, "process_open_fds") > 5
        assert value(found, "process_start_time_seconds") > 1_700_000_000


def test_what_fails_in_the_background_is_logged_and_counted(tmp_path, postgres):
    url = postgres.make_database()
    with Server(tmp_path, "--database", url, "--admin-listen", "0") as server:

        def failures(work):
            return value(metrics(server), "octet_background_failures_total", work=work)

        def logged(event):
            return [line.get("what") for line in log_lines(server, event)]

        assert failures("timers") == failures("catch_up") == 0
        for table, work, event, what in BACKGROUND:
            before = failures(work)
            postgres.run(f"ALTER TABLE {table} RENAME TO octet_gone", name_of(url))
            within(LOOKED_SECONDS, lambda: failures(work) > before, f"what cannot be read of {table} is not counted")
            within(LOOKED_SECONDS, lambda: what in logged(event), "and not logged")
            postgres.run(f"ALTER TABLE octet_gone RENAME TO {table}", name_of(url))


def test_a_bus_that_lets_nobody_in_is_told_of_and_one_that_is_reached(tmp_path, postgres):
    flags = ["--database", postgres.make_database(), "--admin-listen", "0"]
    with nats(tmp_path, -1, "--user", "octet", "--pass", "right") as url:
        bus = url.replace("//", "//octet:hunter2@")
        with Server(tmp_path / "data", *flags, "--bus", bus) as server:

            def is_told():
                return any("Authorization" in line["error"] for line in log_lines(server, "bus_lost"))

            within(BUS_SECONDS, is_told, "nobody says why there is no bus")
            assert "hunter2" not in str(server.log)
            found = metrics(server)
            assert value(found, "octet_bus_connected") == value(found, "octet_bus_connects_total") == 0
        with Server(tmp_path / "data", *flags, "--bus", bus.replace("hunter2", "right")) as server:
            within(BUS_SECONDS, lambda: log_lines(server, "bus_reached"), "nobody says that the bus is there")
            found = metrics(server)
            assert value(found, "octet_bus_connected") == 1


def test_calls_of_browsers_and_curl_count_as_well(observed):
    def checks():
        found = metrics(observed)
        return value(found, "grpc_server_started_total", **HEALTH_CHECK)

    before = checks()
    path = "/grpc.health.v1.Health/Check"
    answer = get(observed.address, path, "-H", "content-type: application/json", "-d", "{}")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "SERVING"})
    assert checks() == before + 1


def test_unknown_methods_count_under_one_label(observed):
    channel = observed.channel()
    for number in range(50):
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary(f"/no.such.Service{number}/Method{number}")(b"", timeout=120)
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
    body = get(observed.ready["admin"], "/metrics").body
    assert "no.such" not in body
    other = {"grpc_service": "other", "grpc_method": "other", "grpc_type": "unary"}
    found = samples(text_families(body))
    assert value(found, "grpc_server_handled_total", grpc_code="UNIMPLEMENTED", **other) >= 50


def test_probes_answer_and_nothing_else_does(observed):
    admin = observed.ready["admin"]
    assert get(admin, "/healthz")[::2] == (200, "ok\n")
    # It has two seconds to look at the database, which pass where the machine stands still.
    within(10, lambda: get(admin, "/readyz")[::2] == (200, "ready\n"), "it is not ready")
    assert get(admin, "/").status == 404
    assert get(admin, "/metrics", "-X", "DELETE").status == 405
    assert get(admin, "/metrics", "--head").headers["content-type"].startswith("text/plain")
    # The public port knows nothing of all this.
    for path in "/metrics", "/healthz", "/readyz":
        assert get(observed.address, path).status >= 400


def test_operators_may_speak_http2_as_well(observed):
    assert get(observed.ready["admin"], "/healthz", "--http2-prior-knowledge")[::2] == (200, "ok\n")


def test_many_requests_pass_on_one_connection(observed):
    connection = http.client.HTTPConnection(observed.ready["admin"], timeout=120)
    for path, status in [("/metrics", 200), ("/nothing", 404), ("/healthz", 200), ("/metrics", 200)]:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.version == 11 and answer.status == status
        assert int(answer.headers["content-length"]) == len(body)
    connection.close()


def test_a_draining_server_is_alive_but_not_ready(tmp_path):
    with Server(tmp_path, "--admin-listen", "127.0.0.1:0", "--drain-timeout", "100") as server:
        stub = health_pb2_grpc.HealthStub(server.channel())
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=""), timeout=300)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        server.process.send_signal(signal.SIGTERM)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert get(server.ready["admin"], "/readyz")[::2] == (503, "not ready\ndraining\n")
        assert get(server.ready["admin"], "/healthz").status == 200
        active = {"grpc_service": "grpc.health.v1.Health", "grpc_method": "Watch", "grpc_type": "server_stream"}
        found = metrics(server)
        assert value(found, "grpc_server_active_calls", **active) == 1
        watch.cancel()
        assert server.process.wait(120) == 0


def test_the_access_log_has_a_line_for_every_call(tmp_path):
    with Server(tmp_path, "--access-log") as server:
        person = Person(server.channel(), "logged")
        metadata = (
            ("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01"),
            ("x-request-id", "request-1"),
            ("authorization", f"Bearer {person.token}"),
        )
        check_health(server.channel(), metadata=metadata)
        with pytest.raises(grpc.RpcError):
            server.channel().unary_unary("/no.such.Service/Method")(b"", timeout=120)
        token = person.token
    calls = log_lines(server, "call")
    assert [call["method"].rpartition("/")[2] for call in calls] == ["Register", "Login", "Check", "Method"]
    assert [call["code"] for call in calls] == ["OK", "OK", "OK", "UNIMPLEMENTED"]
    check = calls[2]
    assert check["trace_id"] == TRACE_ID
    assert check["request_id"] == "request-1"
    assert check["peer"].startswith("ipv4:127.0.0.1:")
    assert check["duration_us"] > 0
    assert (check["request_messages"], check["response_messages"]) == (1, 1)
    assert (check["request_bytes"], check["response_bytes"]) == (5, 7)
    text = "\n".join(server.log)
    assert token not in text
    assert "correct horse" not in text


def test_the_access_log_names_the_user(tmp_path):
    with Server(tmp_path, "--access-log") as server:
        person = Person(server.channel(), "known")
        stub = server.channel().unary_unary("/octet.identity.v1.SessionService/ListSessions")
        stub(b"", timeout=120, metadata=person.metadata)
    call = log_lines(server, "call")[-1]
    assert call["method"].endswith("/ListSessions")
    assert call["user"] == person.user_id


def test_a_slow_call_says_where_its_time_went(tmp_path):
    # Hashing a password takes tens of milliseconds by design. On a busy machine so may anything else.
    with Server(tmp_path, "--slow-call", "15ms", "--password-cost", "64/3") as server:
        Person(server.channel(), "slow")
    slow = log_lines(server, "slow_call")
    register = next(line for line in slow if line["method"].endswith("/Register"))
    assert register["level"] == "warning"
    assert register["duration_us"] >= register["handler_us"] >= 15_000
    parts = register["request_us"] + register["interceptors_us"] + register["handler_us"]
    assert abs(parts - register["duration_us"]) <= 3
    assert 0 < register["storage_us"] < register["handler_us"]
    assert register["loop_lag_us"] >= 0
    assert not log_lines(server, "call")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--admin-listen", "nowhere"], "admin-listen: nowhere"),
        (["--slow-call", "soon"], "slow-call: soon"),
        (["--slow-call", "5"], "slow-call: 5"),
        (["--slow-call", "99999999999s"], "slow-call"),
        (["--otlp-endpoint", "127.0.0.1:4317"], "otlp-endpoint: 127.0.0.1:4317"),
        (["--otlp-endpoint", "http://"], "otlp-endpoint"),
        (["--trace-sample-ratio", "2"], "trace-sample-ratio: 2"),
        (["--trace-sample-ratio", "nan"], "trace-sample-ratio: nan"),
        (["--access-log=perhaps"], "access-log"),
    ],
)
def test_refuses_a_wrong_setting(flags, message, tmp_path):
    command = [BUILD / "octetd", "--listen", "127.0.0.1:0", "--data", tmp_path, *flags]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert result.returncode == 64, result.stderr
    assert message in result.stderr
