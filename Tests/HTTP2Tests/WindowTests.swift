import Base
import RPC
import Testing

@testable import HTTP2

/// Windows that grow with what handlers take in a round trip.
@Suite(.ownThread) struct WindowTests {
  typealias Frames = RawPeer.FrameType

  private static let millisecond: Int64 = 1_000_000

  /// One round trip in which handlers take `count` bytes.
  private func round(_ window: inout ReceiveWindow, _ count: Int, milliseconds: Int64, at start: Int64) -> Bool {
    var isAsked = window.took(0)
    while !isAsked { isAsked = window.took(window.size / 4) }
    window.asked(start)
    _ = window.took(count)
    return window.answered(start + milliseconds * Self.millisecond)
  }

  @Test func `the window doubles while it is what limits the peer`() {
    var limits = HTTP2Limits()
    limits.streamWindow = 100_000
    limits.maxStreamWindow = 1_000_000
    var window = ReceiveWindow(limits)
    var sizes: [Int] = []
    var time: Int64 = 0
    while window.size < 1_000_000 {
      let size = window.size
      let grew = round(&window, size, milliseconds: 10, at: time)
      #expect(grew)
      sizes.append(window.size)
      time += 1_000 * Self.millisecond
    }
    #expect(sizes == [200_000, 400_000, 800_000, 1_000_000])
    let asks = window.took(1 << 40)
    #expect(!asks, "at its largest there is nothing to measure")
  }

  @Test func `it stays where less is taken than it lets through, or no faster than before`() {
    var window = ReceiveWindow(HTTP2Limits())
    let first = window.size
    let grewIdle = round(&window, first / 2, milliseconds: 1, at: 0)
    #expect(!grewIdle)
    let grew = round(&window, first, milliseconds: 1, at: 10)
    #expect(grew)
    // Twice as much in twice the time: the queue has grown, not the rate.
    let second = window.size
    let grewSlow = round(&window, second, milliseconds: 2, at: 20)
    #expect(!grewSlow)
    #expect(window.size == second)
  }

  @Test func `questions become rarer while nothing changes`() {
    var window = ReceiveWindow(HTTP2Limits())
    var pauses: [Int] = []
    for _ in 0..<8 {
      var taken = 0
      while !window.took(1024) { taken += 1024 }
      pauses.append(taken)
      window.asked(0)
      _ = window.answered(Self.millisecond)
    }
    #expect(pauses == pauses.sorted() && (8...16).contains((pauses.last ?? 0) / window.size))
  }

  @Test func `a client is given larger windows when its upload is taken as it comes`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in
      HoldingHandler(stream, onChange: { $0.giveBack() })
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
      try peer.send(RawPeer.headers(1))
      let frame = RawPeer.frame(Frames.data, 0, 1, [UInt8](repeating: 7, count: 16_384))
      // The window of a stream, and as a connection begins with 65,535 bytes, less than that of the first WINDOW_UPDATE.
      let window = HTTP2Limits().streamWindow
      while try #require(try peer.next(Frames.windowUpdate)).stream != 0 {}
      try peer.send((0..<(window / 16_384)).flatMap { _ in frame })
      let question = try #require(try peer.next(Frames.ping))
      #expect(question.flags == 0)
      try peer.send((0..<(window / 32_768)).flatMap { _ in frame })
      try peer.send((0..<(window / 32_768)).flatMap { _ in frame } + RawPeer.frame(Frames.ping, 1, 0, question.payload))
      let settings = try #require(try peer.next(Frames.settings))
      #expect(settings.payload.prefix(2) == [0, 4])
      let size = settings.payload.dropFirst(2).reduce(0) { $0 << 8 | Int($1) }
      #expect(size > window && size <= HTTP2Limits().maxStreamWindow)
    }
  }

  @Test func `a handler that does not read makes nothing grow`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in HoldingHandler(stream) }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
      try peer.send(RawPeer.headers(1))
      while try #require(try peer.next(Frames.windowUpdate)).stream != 0 {}
      let frame = RawPeer.frame(Frames.data, 0, 1, [UInt8](repeating: 7, count: 16_384))
      try peer.send((0..<(HTTP2Limits().streamWindow / 16_384)).flatMap { _ in frame })
      // Neither a PING nor SETTINGS of the server's comes before the answer to ours.
      try peer.send(RawPeer.frame(Frames.ping, 0, 0, Array(1...8)))
      while true {
        let frame = try #require(try peer.next())
        #expect(frame.type != Frames.settings || frame.flags & 1 == 1)
        if frame.type == Frames.ping {
          #expect(frame.flags & 1 == 1)
          break
        }
      }
    }
  }
}
