import Base
import Glibc
import RPC
import Testing

@testable import Observability

@Suite struct CallLogTests {
  @Test func `every call has a line when all are wanted`() async throws {
    let pipe = LinePipe()
    let log = CallLog(all: true, slow: nil, descriptor: pipe.descriptor, user: { _ in "user_1" })
    let server = EchoServer(log: log) { request, _, clock in
      clock.advance(by: .microseconds(1500))
      return request
    }
    _ = try await server.call(metadata: [("x-request-id", "r\"1"), ("authorization", "Bearer secret")])
    _ = try? await server.call(MethodDescriptor(service: "no", name: "Such", kind: .unary))
    log.close()
    #expect(
      pipe.lines() == [
        #"{"time":"2026-01-01T00:00:00.001Z","level":"info","event":"call","method":"/test.Echo/Unary","code":"OK","#
          + #""duration_us":1500,"request_messages":1,"request_bytes":8,"response_messages":1,"response_bytes":8,"#
          + #""peer":"inprocess:","user":"user_1","request_id":"r\"1"}"#,
        #"{"time":"2026-01-01T00:00:00.001Z","level":"info","event":"call","method":"/no/Such","#
          + #""code":"UNIMPLEMENTED","duration_us":0,"request_messages":0,"request_bytes":0,"response_messages":0,"#
          + #""response_bytes":0,"peer":"inprocess:"}"#,
      ])
    #expect(log.metrics().value("octet_log_lines_dropped_total") == .integer(0))
  }

  @Test func `what a peer sends is cut to a bounded length`() async throws {
    let pipe = LinePipe()
    let log = CallLog(all: true, slow: nil, descriptor: pipe.descriptor)
    let server = EchoServer(log: log)
    let long = String(repeating: "x", count: 5000)
    _ = try await server.call(metadata: [("x-request-id", long)])
    _ = try? await server.call(MethodDescriptor(service: long, name: long, kind: .unary))
    log.close()
    let lines = pipe.lines()
    #expect(lines.count == 2)
    #expect(lines.allSatisfy { $0.utf8.count < 600 && $0.contains("xxx…\"") })
  }

  @Test func `a text of loggedCharacters is logged whole, a longer one cut there`() async throws {
    let pipe = LinePipe()
    let log = CallLog(all: true, slow: nil, descriptor: pipe.descriptor)
    let server = EchoServer(log: log)
    let most = String(repeating: "x", count: ObservabilityLimits.loggedCharacters)
    for text in [most, most + "y"] { _ = try await server.call(metadata: [("x-request-id", text)]) }
    log.close()
    let lines = pipe.lines()
    try #require(lines.count == 2)
    #expect(lines[0].contains(#""request_id":"\#(most)""#))
    #expect(lines[1].contains(#""request_id":"\#(most)…""#))
  }

  @Test func `accents without end on one letter do not lengthen a line`() async throws {
    let pipe = LinePipe()
    let log = CallLog(all: true, slow: nil, descriptor: pipe.descriptor)
    let server = EchoServer(log: log)
    let accented = "e" + String(repeating: "\u{301}", count: 5000)
    _ = try? await server.call(MethodDescriptor(service: "s", name: accented, kind: .unary))
    // What takes most room: an escape has six bytes.
    let control = String(repeating: "\u{1}", count: 5000)
    _ = try? await server.call(MethodDescriptor(service: "s", name: control, kind: .unary))
    log.close()
    let lines = pipe.lines()
    #expect(lines.count == 2 && lines.allSatisfy { $0.utf8.count < ObservabilityLimits.bytesPerWrite })
    #expect(lines[0].utf8.count < 600)
  }

  @Test func `lines are written together up to bytesPerWrite`() async throws {
    // Each write is a packet of its own here.
    var ends: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends) == 0)
    var size: Int32 = 8192
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    let log = CallLog(all: true, slow: nil, descriptor: ends[0])
    let server = EchoServer(log: log)
    // More than the kernel holds, so that lines wait for their writer.
    let count = 300
    for _ in 0..<count { _ = try await server.call() }
    var (packets, lines) = ([Int](), 0)
    var packet = [UInt8](repeating: 0, count: 1 << 16)
    while lines < count {
      let length = recv(ends[1], &packet, packet.count, 0)
      try #require(length > 0)
      packets.append(length)
      lines += packet[..<length].count { $0 == UInt8(ascii: "\n") }
    }
    log.close()
    #expect(lines == count && log.metrics().value("octet_log_lines_dropped_total") == .integer(0))
    #expect(packets.allSatisfy { $0 <= ObservabilityLimits.bytesPerWrite })
    #expect((packets.max() ?? 0) > ObservabilityLimits.bytesPerWrite - 400, "\(packets)")
    for end in ends { close(end) }
  }

  @Test func `a slow call has a line that says where its time went, a quick one none`() async throws {
    let pipe = LinePipe()
    let log = CallLog(all: false, slow: .milliseconds(500), descriptor: pipe.descriptor)
    let server = EchoServer(log: log) { request, _, clock in
      clock.advance(by: .milliseconds(Int(request.bytes[0]) * 100))
      return request
    }
    _ = try await server.call(EchoMethods.unary, [4])
    _ = try await server.call(EchoMethods.unary, [7])
    log.close()
    let lines = pipe.lines()
    #expect(lines.count == 1)
    #expect(
      lines[0].contains(
        #""level":"warning","event":"slow_call","method":"/test.Echo/Unary","code":"OK","duration_us":700000,"#
          + #""request_us":0,"interceptors_us":0,"handler_us":700000,"storage_us":0,"peer_reads_us":0,"#
          + #""peer_writes_us":0,"loop_lag_us":0,"#))
  }

  @Test func `waiting for storage is a part of the handler's time`() async throws {
    let pipe = LinePipe()
    let log = CallLog(all: false, slow: .zero, descriptor: pipe.descriptor)
    let server = EchoServer(log: log) { request, _, _ in
      await CallWaits.storage {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .milliseconds(2) { await Task.yield() }
      }
      return request
    }
    _ = try await server.call()
    log.close()
    let line = try #require(pipe.lines().first)
    let storage = line.firstRange(of: #""storage_us":"#).map { line[$0.upperBound...].prefix { $0.isNumber } }
    #expect(try #require(Int(storage ?? "")) >= 2000)
  }

  @Test func `calls are judged by what was not the client's time`() {
    let began = Instant(seconds: 100)
    func judged(_ kind: MethodKind, input: Int64, room: Int64) -> Int {
      var counts = CallCounts()
      counts.inputWaitNanoseconds = input * 1_000_000_000
      counts.roomWaitNanoseconds = room * 1_000_000_000
      let record = CallRecord(
        began: began, started: began + .seconds(1), handling: began + .seconds(3), ended: began + .seconds(60),
        counts: counts)
      let slow = SlowCall(record, storageNanoseconds: 5_000_000_000, loopLag: .zero)
      return slow.judged(kind, total: record.duration) / 1_000_000
    }
    #expect(judged(.unary, input: 0, room: 0) == 60)
    #expect(judged(.clientStreaming, input: 50, room: 0) == 10)
    // A watch lasts as long as its reader likes.
    #expect(judged(.serverStreaming, input: 0, room: 0) == 8)
    #expect(judged(.bidirectional, input: 50, room: 4) == 12)
  }

  @Test(arguments: [8, nil] as [Int?])
  func `lines that nobody takes are dropped and counted, and calls do not wait`(_ waitingLines: Int?) async throws {
    let pipe = LinePipe()
    let log =
      waitingLines.map { CallLog(all: true, slow: nil, descriptor: pipe.descriptor, waitingLines: $0) }
      ?? CallLog(all: true, slow: nil, descriptor: pipe.descriptor)
    let server = EchoServer(log: log)
    // A pipe holds 64 KB, some 200 lines, and the writer has 256 in hand; nobody reads.
    let (waiting, more) = (waitingLines ?? ObservabilityLimits.waitingLines, 1000)
    for _ in 0..<(waiting + more) { _ = try await server.call() }
    guard case .integer(let dropped) = log.metrics().value("octet_log_lines_dropped_total") else {
      Issue.record("no counter")
      return
    }
    #expect(dropped > 100 && dropped <= more)
    pipe.stopReading()
    log.close()
    #expect(server.value("grpc_server_started_total", ["grpc_method": "Unary"]) == .integer(waiting + more))
  }
}
