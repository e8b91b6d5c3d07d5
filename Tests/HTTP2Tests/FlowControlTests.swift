import Base
import RPC
import Testing

@testable import HTTP2

/// Windows both ways: much data passes, and a slow side holds up its own stream only.
@Suite struct FlowControlTests {
  private static let megabyte = 1 << 20

  private func run(
    encrypted: Bool = false, _ acceptor: any RequestAcceptor, clientLimits: HTTP2Limits = HTTP2Limits(),
    _ body: (Fixture) async throws -> Void
  ) async throws {
    let certificate = encrypted ? try TestCertificate() : nil
    try await Fixture.run(acceptor, clientLimits: clientLimits, certificate: certificate, body)
  }

  @Test(arguments: [false, true])
  func `a large upload and a large download arrive whole`(encrypted: Bool) async throws {
    let acceptor = ScriptedAcceptor { head, stream in
      if head.path == "/download" { return DownloadHandler(stream, total: 48 * Self.megabyte) }
      return HoldingHandler(
        stream,
        onChange: { handler in
          handler.giveBack()
          guard handler.hasEnded else { return }
          handler.stream.respond(status: 200, headers: HeaderList(), endStream: false)
          handler.stream.write(Array(String(handler.received).utf8))
          handler.stream.finish(trailers: HeaderList())
        })
    }
    try await run(encrypted: encrypted, acceptor) { fixture in
      let chunk = [UInt8](repeating: 3, count: Self.megabyte)
      let upload = Exchange.start(fixture.transport, path: "/upload", body: Array(repeating: chunk, count: 48))
      let download = Exchange.start(fixture.transport, path: "/download", keepsBody: false)
      #expect(String(decoding: await upload.response().body, as: UTF8.self) == "\(48 * Self.megabyte)")
      let downloaded = await download.response()
      #expect(downloaded.bodySize == 48 * Self.megabyte)
      #expect(downloaded.closure == nil)
    }
  }

  @Test func `bytes keep their order in pieces of every size`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in EchoHandler(stream) }
    var generator = SystemRandomNumberGenerator()
    let chunks = (0..<300).map { index in
      (0..<[1, 100, 16_384, 16_385, 70_000, 3][index % 6]).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
    try await run(acceptor) { fixture in
      let response = await Exchange.start(fixture.transport, body: chunks).response()
      #expect(response.body == chunks.flatMap { $0 })
    }
  }

  @Test func `a reader that stops holds the writer, and nobody else`() async throws {
    var clientLimits = HTTP2Limits()
    clientLimits.streamWindow = 128 << 10
    let handler = Locked<DownloadHandler?>(nil)
    let acceptor = ScriptedAcceptor { head, stream in
      guard head.path == "/slow" else { return EchoHandler(stream) }
      let download = DownloadHandler(stream, total: 4 * Self.megabyte)
      handler.withLock { $0 = download }
      return download
    }
    try await run(acceptor, clientLimits: clientLimits) { fixture in
      let window = clientLimits.streamWindow
      let slow = Exchange.start(fixture.transport, path: "/slow", keepsBody: false, consumes: false)
      _ = await slow.wait { $0.bodySize == window }
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
      let stalled = await slow.wait { _ in true }
      #expect(stalled.bodySize == window, "not a byte more than the window")
      let mostQueued = try #require(handler.withLock { $0 }).mostQueued.withLock { $0 }
      #expect(mostQueued <= window + (64 << 10), "never more than the peer takes, and a message")
      // Now it reads on.
      var consumed = 0
      while true {
        let so = await slow.wait { [consumed] in $0.bodySize > consumed || $0.isClosed }
        if so.isClosed { break }
        slow.consumed(so.bodySize - consumed)
        consumed = so.bodySize
      }
      #expect(await slow.response().bodySize == 4 * Self.megabyte)
    }
  }

  @Test(arguments: [1, 16])
  func `streams may queue more than their marks as long as one write takes all of it`(streams: Int) async throws {
    let chunk = 64 << 10
    let handlers = Locked<[DownloadHandler]>([])
    let waiting = Waiting()
    // The last request has all downloads begin in its tick, which knows the windows of each.
    let acceptor = ScriptedAcceptor { head, stream in
      if head.path == "/download" {
        waiting.streams.append(stream)
        return HoldingHandler(stream)
      }
      for stream in waiting.streams {
        handlers.withLock { $0.append(DownloadHandler(stream, total: 16 * chunk, chunk: chunk)) }
      }
      return EchoHandler(stream)
    }
    var clientLimits = HTTP2Limits()
    (clientLimits.streamWindow, clientLimits.connectionWindow) = (1 << 20, 4 << 20)
    try await run(acceptor, clientLimits: clientLimits) { fixture in
      let downloads = (0..<streams).map { _ in
        Exchange.start(fixture.transport, path: "/download", keepsBody: false)
      }
      _ = await Exchange.start(fixture.transport, path: "/begin", body: [[1]]).response()
      for download in downloads { _ = await download.wait { $0.bodySize > 0 } }
      let queued = handlers.withLock { $0.reduce(0) { $0 + $1.mostQueued.withLock { $0 } } }
      let marks = streams * (StreamWaterMarks.high + chunk)
      #expect(queued > marks)
      #expect(queued <= marks + HTTP2Limits.queuedForOneWrite)
      if streams == 1 {
        // The last message is in the write that the others fill.
        #expect((HTTP2Limits.queuedForOneWrite..<HTTP2Limits.outputBatchSize).contains(queued), "\(queued)")
      }
    }
  }

  @Test func `a handler that stops holds the client's upload, and nobody else`() async throws {
    let held = Locked<HoldingHandler?>(nil)
    let (changes, continuation) = AsyncStream<Int>.makeStream()
    let acceptor = ScriptedAcceptor { head, stream in
      guard head.path == "/slow" else { return EchoHandler(stream) }
      let handler = HoldingHandler(
        stream,
        onChange: { handler in
          continuation.yield(handler.received)
          guard handler.hasEnded else { return }
          handler.stream.respond(status: 200, headers: ["grpc-status": "0"], endStream: true)
        })
      held.withLock { $0 = handler }
      return handler
    }
    try await run(acceptor) { fixture in
      let window = HTTP2Limits().streamWindow
      let upload = Exchange.start(
        fixture.transport, path: "/slow",
        body: Array(repeating: [UInt8](repeating: 1, count: window / 4), count: 12))
      var received = 0
      var iterator = changes.makeAsyncIterator()
      while received < window { received = await iterator.next() ?? 0 }
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
      let handler = try #require(held.withLock { $0 })
      #expect(handler.received == window, "not a byte more than the window")
      handler.stream.executor.execute { handler.giveBack() }
      while received < 2 * window { received = await iterator.next() ?? 0 }
      handler.stream.executor.execute { handler.giveBack() }
      #expect(await upload.response().headers.first("grpc-status") == "0")
    }
  }

  @Test func `what a closed stream held is given back to the connection`() async throws {
    // More streams than the connection's window has room for, each ended with unread bytes.
    let acceptor = ScriptedAcceptor { head, stream in
      guard head.path == "/drop" else { return EchoHandler(stream) }
      return HoldingHandler(
        stream, onChange: { if $0.received >= HTTP2Limits().streamWindow { $0.stream.reset(.internalError) } })
    }
    try await run(acceptor) { fixture in
      let chunk = [UInt8](repeating: 1, count: Self.megabyte)
      for _ in 0..<40 {
        let response = await Exchange.start(fixture.transport, path: "/drop", body: [chunk]).response()
        #expect(response.closure == .reset(.internalError))
      }
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
    }
  }

  /// Streams that have not begun. Unchecked because only the one loop of the server that they came to touches it.
  private final class Waiting: @unchecked Sendable {
    var streams: [any ServerStream] = []
  }
}
