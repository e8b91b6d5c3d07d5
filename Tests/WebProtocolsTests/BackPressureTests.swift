import Base
import InteropAPI
import ProtobufRuntime
import RPC
import Testing
import WebProtocols

/// A slow side holds up its peer through the translation, in both directions.
struct BackPressureTests {
  private static let upload = MethodDescriptor(service: "test.Slow", name: "Upload", kind: .bidirectional)
  private static let download = MethodDescriptor(service: "test.Slow", name: "Download", kind: .bidirectional)

  private func open(
    _ method: MethodDescriptor, _ type: String, returnsWindow: Bool = true,
    _ body:
      @escaping @Sendable (RequestReader<RawMessage>, ResponseWriter<RawMessage>) async throws -> Void
  ) throws -> WebExchange {
    let fixture = try WebFixture { registry in
      registry.bidirectional(method) {
        (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, _) in
        try await body(requests, responses)
      }
    }
    return WebExchange(
      fixture.transport, "POST", method.path, ["content-type": type], returnsWindow: returnsWindow)
  }

  /// In the order of the calls on the executor, everything that was queued is through when this returns.
  private func settle(_ call: WebExchange) async -> Int {
    var waiting = -1
    for _ in 0..<16 { waiting = await call.waitingBytes() }
    return waiting
  }

  @Test(arguments: ["application/grpc-web-text", "application/grpc-web", "application/connect+proto"])
  func aHandlerThatDoesNotReadHoldsUpTheClient(_ type: String) async throws {
    let gate = Gate()
    let call = try open(Self.upload, type) { requests, responses in
      await gate.wait()
      var total = 0
      while let message = try await requests.next() { total += message.bytes.count }
      try await responses.write(RawMessage(Array("\(total)".utf8)))
    }
    let frame = Frame(flags: 0, payload: Array(repeating: 1, count: 9_998)).bytes
    let piece = type.hasSuffix("text") ? Array(Base64.standard.encode(frame, padded: true).utf8) : frame
    for _ in 0..<100 { call.write(piece) }
    call.finish()
    // Of a megabyte, the window of 64 KiB is through, and no more.
    let waiting = await settle(call)
    #expect(waiting >= 100 * piece.count - 80_000)
    await gate.open()
    await call.end()
    let text =
      type.hasSuffix("text")
      ? String(decoding: Base64.decodeLeniently(String(call.text.prefix(16))) ?? [], as: UTF8.self) : call.text
    #expect(text.contains("999800"))
  }

  @Test(arguments: ["application/grpc-web-text", "application/grpc-web", "application/connect+proto"])
  func aClientThatDoesNotReadHoldsUpTheHandler(_ type: String) async throws {
    let written = Locked(0)
    let call = try open(Self.download, type, returnsWindow: false) { _, responses in
      for _ in 0..<1000 {
        try await responses.write(RawMessage(Array(repeating: 1, count: 9_995)))
        written.withLock { $0 += 1 }
      }
    }
    #expect(await call.body(of: 60_000).count <= 64 << 10)
    _ = await settle(call)
    // The window and the queue's mark of 64 KiB each are 13 messages, and the one that was beyond.
    #expect(written.withLock { $0 } <= 15)
    call.reset()
    await call.end()
  }
}

/// Opens once.
private actor Gate {
  private var isOpen = false
  private var waiters: [CheckedContinuation<Void, Never>] = []

  func wait() async {
    guard !isOpen else { return }
    await withCheckedContinuation { waiters.append($0) }
  }

  func open() {
    isOpen = true
    for waiter in waiters { waiter.resume() }
    waiters = []
  }
}
