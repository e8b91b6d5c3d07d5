import Base
import RPC
import Testing

@testable import Observability

@Suite struct TracingTests {
  private final class Kept: Sendable {
    let spans = Locked([CallSpan]())
    func tracer(_ share: Double, clock: any WallClock = ManualClock()) -> Tracer {
      Tracer(ratio: SampleRatio(share), random: SeededRandomSource(seed: 3), clock: clock) { span in
        self.spans.withLock { $0.append(span) }
      }
    }
    var all: [CallSpan] { spans.withLock { $0 } }
  }

  @Test func `a call continues the trace of its client, and calls of its handler continue it`() async throws {
    let kept = Kept()
    let tracer = kept.tracer(0)
    let inner = EchoServer(tracer: tracer) { _, context, _ in
      RawMessage(Array("\(context.metadata["traceparent"] ?? "") \(context.metadata["tracestate"] ?? "")".utf8))
    }
    let observer = ClientObservatory(metrics: ClientMetrics(), tracer: tracer, clock: inner.clock)
    let channel = inner.channel(observer)
    let outer = EchoServer(tracer: tracer) { request, _, clock in
      clock.advance(by: .seconds(1))
      return try await channel.unary(EchoMethods.unary, request)
    }
    let seen = try await outer.call(
      metadata: [("traceparent", TraceContextTests.valid), ("tracestate", "vendor=1")])
    let spans = kept.all
    #expect(spans.map(\.side) == [.server, .client, .server])
    try #require(spans.count == 3)
    // They end from the inside out.
    let (innermost, call, outermost) = (spans[0], spans[1], spans[2])
    #expect(Set(spans.map(\.context.traceID)) == ["0af7651916cd43dd8448eb211c80319c"])
    #expect(outermost.parentID == 0xb7ad_6b71_6920_3331 && outermost.hasRemoteParent)
    #expect(call.parentID == outermost.context.spanID && !call.hasRemoteParent)
    #expect(innermost.parentID == call.context.spanID && innermost.hasRemoteParent)
    #expect(String(decoding: seen, as: UTF8.self) == "\(call.context.traceParent) vendor=1")
    #expect(outermost.ended - outermost.began == .seconds(1))
  }

  @Test func `a trace that its client does not keep is not kept, but continued`() async throws {
    let kept = Kept()
    let server = EchoServer(tracer: kept.tracer(1)) { _, _, _ in
      RawMessage(Array((TraceContext.current?.traceParent ?? "").utf8))
    }
    let parent = String(TraceContextTests.valid.dropLast() + "0")
    let seen = String(decoding: try await server.call(metadata: [("traceparent", parent)]), as: UTF8.self)
    #expect(seen.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") && seen.hasSuffix("-00"))
    #expect(kept.all.isEmpty)
  }

  @Test func `a trace begins here if the client's is malformed or absent`() async throws {
    let kept = Kept()
    let server = EchoServer(tracer: kept.tracer(1))
    _ = try await server.call(metadata: [("traceparent", "00-nonsense"), ("tracestate", "a=1")])
    _ = try? await server.call(EchoMethods.fail)
    let spans = kept.all
    #expect(spans.map(\.parentID) == [nil, nil])
    #expect(Set(spans.map(\.context.traceID)).count == 2)
    #expect(spans.map(\.context.state) == ["", ""])
    #expect(spans.map(\.status) == [.ok, .failedPrecondition])
    // What the client did wrong is no error of the server.
    #expect(spans.map(\.isError) == [false, false])
  }

  @Test func `a caller's own trace context is left alone`() async throws {
    let kept = Kept()
    let server = EchoServer { _, context, _ in
      RawMessage(Array(context.metadata.values("traceparent").joined(separator: ",").utf8))
    }
    var options = CallOptions()
    try options.metadata.add("traceparent", TraceContextTests.valid)
    let observer = ClientObservatory(metrics: ClientMetrics(), tracer: kept.tracer(1))
    let reply: RawMessage = try await server.channel(observer).unary(
      EchoMethods.unary, RawMessage(), options: options)
    #expect(String(decoding: reply.bytes, as: UTF8.self) == TraceContextTests.valid)
    #expect(kept.all.isEmpty)
  }

  @Test func `without a tracer handlers have no context`() async throws {
    let server = EchoServer { _, _, _ in RawMessage(TraceContext.current == nil ? [] : [1]) }
    #expect(try await server.call(metadata: [("traceparent", TraceContextTests.valid)]) == [])
  }
}
