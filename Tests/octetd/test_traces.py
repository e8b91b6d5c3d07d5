"""Traces of a running octetd, as a collector of OpenTelemetry gets them."""

import concurrent.futures
import threading
import time

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from support.foreign import listen
from support.health import check_health
from support.observing import PARENT_ID, TRACE_ID, metrics, value
from support.promises import TRIES
from support.server import Server


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """A stand-in for an OpenTelemetry collector, on the messages that OpenTelemetry publishes."""

    def __init__(self, failures=0, tls=None):
        self.spans, self.known = [], set()
        self.resources = []
        self.failures = failures
        self.arrived = threading.Condition()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self.server)
        self.port = listen(self.server, tls)
        self.server.start()

    def Export(self, request, context):
        with self.arrived:
            if self.failures > 0:
                self.failures -= 1
                context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
            for group in request.resource_spans:
                self.resources.append({item.key: item.value.string_value for item in group.resource.attributes})
                for scope in group.scope_spans:
                    # What was not acknowledged in time is brought again.
                    fresh = [span for span in scope.spans if span.span_id not in self.known]
                    self.known.update(span.span_id for span in fresh)
                    self.spans.extend(fresh)
            self.arrived.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    def wait_for(self, count):
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.spans) >= count, timeout=120), self.spans
            return list(self.spans)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(0)


def attributes(span):
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


def test_traces_reach_a_collector(tmp_path):
    with Collector(failures=1) as collector:
        endpoint = f"http://127.0.0.1:{collector.port}"
        with Server(tmp_path, "--otlp-endpoint", endpoint, "--admin-listen", "0") as server:
            began = time.monotonic_ns()
            check_health(server.channel(), metadata=(("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01"), ("tracestate", "vendor=1")))
            check_health(server.channel())
            check_health(server.channel(), metadata=(("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-00"),))
            spans = collector.wait_for(2)
            took = time.monotonic_ns() - began
            found = metrics(server)
            assert value(found, "octet_spans_exported_total") in (0, 1, 2)
            assert value(found, "octet_spans_dropped_total", reason="queue_full") == 0
    # The third call was not to be kept.
    assert len(collector.spans) == 2
    joined, own = spans
    assert joined.trace_id.hex() == TRACE_ID
    assert joined.parent_span_id.hex() == PARENT_ID
    assert joined.trace_state == "vendor=1"
    assert own.trace_id.hex() != TRACE_ID and any(own.trace_id) and not own.parent_span_id
    for span in spans:
        assert span.name == "grpc.health.v1.Health/Check"
        assert span.kind == trace_pb2.Span.SPAN_KIND_SERVER
        assert 0 < span.end_time_unix_nano - span.start_time_unix_nano <= took
        assert span.status.code == trace_pb2.Status.STATUS_CODE_UNSET
        assert attributes(span)["rpc.method"] == "Check"
        assert attributes(span)["rpc.system"] == "grpc"
        assert attributes(span)["network.peer.address"].startswith("ipv4:127.0.0.1:")
    assert collector.resources[0]["service.name"] == "octetd"


def test_spans_that_wait_are_brought_before_the_end(tmp_path):
    """Within the two seconds that the end may take, which can be too few on a busy machine, and are not each time."""

    def brought():
        with Collector() as collector:
            with Server(tmp_path, "--otlp-endpoint", f"http://127.0.0.1:{collector.port}") as server:
                for _ in range(30):
                    check_health(server.channel())
            return len(collector.spans)

    counts = []
    assert any(counts.append(brought()) or counts[-1] == 30 for _ in range(TRIES)), counts


def test_a_collector_under_tls_is_one_whom_the_systems_authorities_know(tmp_path, tls):
    # OpenSSL's own way to say which these are.
    for number, (trusted, expected) in enumerate([(tls / "ca.pem", 5), ("/dev/null", 0)]):
        with Collector(tls=tls) as collector:
            endpoint = f"https://localhost:{collector.port}"
            environment = {"SSL_CERT_FILE": str(trusted), "SSL_CERT_DIR": "/nonexistent"}
            with Server(tmp_path / str(number), "--otlp-endpoint", endpoint, env=environment) as server:
                for _ in range(5):
                    check_health(server.channel())
                collector.wait_for(expected)
            assert len(collector.spans) == expected


def test_a_collector_that_is_not_there_holds_nothing_up(tmp_path):
    with Server(tmp_path, "--otlp-endpoint", "http://127.0.0.1:1") as server:
        for _ in range(5):
            check_health(server.channel())


def test_no_trace_is_kept_that_is_not_sampled(tmp_path):
    with Collector() as collector:
        flags = ("--otlp-endpoint", f"http://127.0.0.1:{collector.port}", "--trace-sample-ratio", "0")
        with Server(tmp_path, *flags) as server:
            for _ in range(20):
                check_health(server.channel())
            check_health(server.channel(), metadata=(("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01"),))
            collector.wait_for(1)
        assert [span.trace_id.hex() for span in collector.spans] == [TRACE_ID]
