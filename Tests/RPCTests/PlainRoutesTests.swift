import Base
import RPC
import Testing

/// Answers to requests that are no calls.
@Suite struct PlainRoutesTests {
  /// `/files/N` has N bytes, given in pieces of 10,000; `/files/none` fails, `/files/short` breaks off.
  private struct Files: PlainRoute {
    let prefix = "/files/"
    let given = Locked(0)
    let mayAnswer = ParkingSpot()
    var waits = false

    func answer(_ request: PlainRequest) async throws -> PlainResponse {
      if waits { try await mayAnswer.park() }
      let name = request.path.dropFirst(prefix.count)
      if name == "unchanged" { return PlainResponse(status: 304, headers: ["etag": "\"x\""]) }
      if name == "short" {
        return PlainResponse(status: 200, length: 10) { [given] in
          given.withLock { given in
            given += 1
            return given == 1 ? [1, 2, 3] : nil
          }
        }
      }
      guard let count = Int(name) else { throw Broken() }
      return PlainResponse(status: 200, headers: ["x-name": String(name)], length: count) { [given] in
        given.withLock { given in
          let piece = min(10_000, count - given)
          given += piece
          return piece == 0 ? nil : [UInt8](repeating: 7, count: piece)
        }
      }
    }
  }

  private struct Broken: Error {}

  private func transport(_ files: Files, _ limits: PlainLimits = PlainLimits()) -> InProcessTransport {
    let core = Fixture { $0.echo() }.server
    return InProcessTransport(acceptor: PlainRoutes([files], before: core, limits: limits))
  }

  private func exchange(_ files: Files, _ path: String, method: String = "GET") async -> RawExchange {
    await RawExchange(transport(files), path: path, method: method, headers: HeaderList()).end()
  }

  @Test func `a body comes whole, and HEAD says how long it would be`() async {
    let whole = await exchange(Files(), "/files/35000?query=1")
    #expect(whole.status == 200 && whole.body == [UInt8](repeating: 7, count: 35_000) && whole.closure == nil)
    #expect(whole.head.first("content-length") == "35000" && whole.head.first("x-name") == "35000")
    let files = Files()
    let head = await exchange(files, "/files/35000", method: "HEAD")
    #expect(head.status == 200 && head.body.isEmpty && head.head.first("content-length") == "35000")
    #expect(files.given.withLock { $0 } == 0)
    let unchanged = await exchange(Files(), "/files/unchanged")
    #expect(unchanged.status == 304 && unchanged.head.first("content-length") == nil)
    #expect(await exchange(Files(), "/files/0").status == 200)
  }

  @Test func `what goes wrong is told, and no more than that`() async {
    let failed = await exchange(Files(), "/files/none")
    #expect(failed.status == 500 && failed.head.first("content-type") == "text/plain; charset=utf-8")
    #expect(String(decoding: failed.body, as: UTF8.self) == "something went wrong on the server\n")
    let unseen = await exchange(Files(), "/files/none", method: "HEAD")
    #expect(unseen.status == 500 && unseen.body.isEmpty)
    #expect(await exchange(Files(), "/files/1", method: "POST").status == 405)
    let short = await exchange(Files(), "/files/short")
    #expect(short.closure == .reset(.cancel) && short.body.count < 10)
    // Calls go on to what answers them.
    #expect(await exchange(Files(), "/other/1").status == 405)
  }

  @Test func `no more than the limit are answered at once`() async {
    var limits = PlainLimits()
    limits.requests = 1
    var files = Files()
    files.waits = true
    let transport = transport(files, limits)
    let first = RawExchange(transport, path: "/files/1", method: "GET", headers: HeaderList())
    let second = await RawExchange(transport, path: "/files/1", method: "GET", headers: HeaderList()).end()
    #expect(second.status == 503 && second.head.first("retry-after") == "1")
    files.mayAnswer.unpark()
    #expect(await first.end().status == 200)
    files.given.withLock { $0 = 0 }
    files.mayAnswer.unpark()
    #expect(await RawExchange(transport, path: "/files/1", method: "GET", headers: HeaderList()).end().status == 200)
  }

  @Test func `a peer that takes nothing costs a full queue, and is given up after a while`() async {
    var limits = PlainLimits()
    limits.stallTime = .seconds(7)
    let (files, executor) = (Files(), ManualTimerExecutor())
    let core = Fixture { $0.echo() }.server
    let transport = InProcessTransport(
      acceptor: PlainRoutes([files], before: core, limits: limits), executor: executor)
    let slow = RawExchange(
      transport, path: "/files/10000000", method: "GET", headers: HeaderList(), returnsWindow: false)
    await slow.gotHead.wait()
    // It waits more than once, as first the peer takes what its window allows: until nothing moves any more.
    var given = -1
    while executor.pendingDelays != [.seconds(7)] || files.given.withLock({ $0 }) != given {
      given = files.given.withLock { $0 }
      await executor.settle()
    }
    #expect(given < 1_000_000)
    executor.fireTimers(of: .seconds(7))
    await slow.end()
    #expect(slow.closure == .reset(.cancel) && slow.body.count < 1_000_000)
  }
}
