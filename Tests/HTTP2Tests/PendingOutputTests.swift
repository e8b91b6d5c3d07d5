import Glibc
import RPC
import Testing

@testable import HTTP2

@Suite(.ownThread) struct PendingOutputTests {
  private typealias T = RawPeer.FrameType
  private static let large = (0..<(3 * HTTP2Limits.leastSharedPart)).map { UInt8(truncatingIfNeeded: $0 &* 31) }

  /// Small parts and large ones, shared as a stream's queue shares them, and what they come to.
  private func output() -> (buffer: OutputBuffer, octets: [UInt8]) {
    let buffer = OutputBuffer(capacity: 64)
    buffer.takesSharedParts = true
    buffer.append([1, 2, 3])
    buffer.append(Self.large, 5..<(5 + HTTP2Limits.leastSharedPart))
    buffer.append(Self.large, 0..<Self.large.count)
    buffer.append([4, 5])
    buffer.append(Self.large, 7..<9)
    buffer.append(Self.large, 1..<(1 + HTTP2Limits.leastSharedPart))
    let octets =
      [1, 2, 3] + Self.large[5..<(5 + HTTP2Limits.leastSharedPart)] + Self.large + [4, 5] + Self.large[7..<9]
      + Self.large[1..<(1 + HTTP2Limits.leastSharedPart)]
    return (buffer, Array(octets))
  }

  @Test func `parts from leastSharedPart on are shared, and only where they may be`() {
    let (buffer, octets) = output()
    #expect(buffer.shared.count == 3 && buffer.total == octets.count && buffer.count == 3 + 2 + 2)
    let copying = OutputBuffer()
    copying.append(Self.large, 0..<Self.large.count)
    copying.append(Self.large, 0..<(HTTP2Limits.leastSharedPart - 1))
    #expect(copying.shared.isEmpty && copying.count == copying.total)
    buffer.removeAll()
    #expect(buffer.shared.isEmpty && buffer.total == 0)
  }

  @Test func `wherever a write ends, the rest arrives whole and in order`() throws {
    let (buffer, octets) = output()
    for written in 0...octets.count {
      // Every place is one too many for each test run; those around the seams are all tried.
      guard written % 97 == 0 || written < 8 || octets.count - written < 8 || isAtSeam(written) else { continue }
      var ends: [Int32] = [0, 0]
      #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
      var size: Int32 = 2048
      setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
      let channel = try ByteChannel(Descriptor(ends[0]), tls: nil)
      let reader = Descriptor(ends[1])
      var pending = PendingOutput(buffer, after: written)
      #expect(pending.count == octets.count - written)
      var received: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 1000)
      #expect(pending.heldOctets <= 2 * pending.count)
      while received.count < octets.count - written {
        try pending.write(to: channel)
        #expect(pending.heldOctets <= 2 * pending.count)
        let count = read(reader.number, &chunk, chunk.count)
        if count > 0 { received += chunk[..<count] }
      }
      #expect(pending.isEmpty && pending.taken == octets.count - written)
      #expect(received == Array(octets[written...]), "after \(written)")
    }
  }

  @Test func `what is left of an array is copied when less than half of it waits, and not before`() {
    let least = HTTP2Limits.leastSharedPart
    let body = Self.large + Self.large
    let cases = [
      (3 * least, [6 * least, 3 * least, 6 * least]), (3 * least - 1, [least, 3 * least, 2 * least - 1]),
    ]
    for (length, arrays) in cases {
      let buffer = OutputBuffer()
      buffer.takesSharedParts = true
      // Two parts, between which there is another body's: together they are what waits of the array.
      buffer.append(body, 0..<least)
      buffer.append(Self.large, 0..<Self.large.count)
      buffer.append(body, least..<length)
      let pending = PendingOutput(buffer, after: 0)
      #expect(pending.count == length + Self.large.count)
      #expect(pending.parts.map(\.bytes.count) == arrays)
    }
  }

  @Test func `for a peer that does not read at most twice what waits is held, however long the bodies`() async throws {
    let streams: UInt32 = 900
    let length = 4 << 20
    let window = HTTP2Limits.leastSharedPart
    let acceptor = ScriptedAcceptor { _, stream in
      // Pages that nobody writes to take no memory.
      let body = [UInt8](unsafeUninitializedCapacity: length) { $1 = length }
      stream.respond(status: 200, headers: HeaderList(), endStream: false)
      stream.write(body)
      return HoldingHandler(stream)
    }
    let group = try EventLoopGroup(loops: 1, time: nil)
    try await ServerEnd.run(acceptor, on: group, sendBuffer: 4096) { end in
      let most: [UInt8] = [0x7f, 0, 0, 0]
      let greeting =
        RawPeer.preface + RawPeer.frame(T.settings, 0, 0, [0, 4, 0, 0, UInt8(window >> 8), 0])
        + RawPeer.frame(T.windowUpdate, 0, 0, most)
      // All are there when the first answer is written.
      await end.loop.value { end.sendAtOnce(greeting + (0..<streams).flatMap { RawPeer.headers(2 * $0 + 1) }) }
      while await end.loop.value({ end.connection.streams.count }) < Int(streams) { await Task.yield() }
      try end.peer.send((0..<streams).flatMap { RawPeer.frame(T.reset, 0, 2 * $0 + 1, [0, 0, 0, 8]) })
      while await end.loop.value({ end.connection.streams.count }) > 0 { await Task.yield() }
      let (held, waiting) = await end.loop.value {
        (end.connection.pending.heldOctets, end.connection.pending.count)
      }
      #expect(waiting > HTTP2Limits.outputBatchSize / 2, "bodies wait")
      #expect(waiting <= HTTP2Limits.outputBatchSize + window + Int(streams) * 100)
      #expect(held <= 2 * waiting)
    }
  }

  private func isAtSeam(_ place: Int) -> Bool {
    let least = HTTP2Limits.leastSharedPart
    return [3, 3 + least, 3 + 4 * least, 5 + 4 * least, 7 + 4 * least].contains { abs($0 - place) < 3 }
  }

  @Test func `a write takes vectorsPerWrite parts`() throws {
    var ends: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    let channel = try ByteChannel(Descriptor(ends[0]), tls: nil)
    let reader = Descriptor(ends[1])
    let octet = UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
    defer { octet.deallocate() }
    octet.storeBytes(of: 7, as: UInt8.self)
    var vectors = Array(repeating: iovec(iov_base: octet, iov_len: 1), count: HTTP2Limits.vectorsPerWrite + 10)
    #expect(try channel.write(&vectors, from: 0) == .moved(HTTP2Limits.vectorsPerWrite))
    #expect(try channel.write(&vectors, from: HTTP2Limits.vectorsPerWrite) == .moved(10))
    withExtendedLifetime(reader.number) {}
  }

  @Test func `more parts than vectorsPerWrite go out in several calls`() throws {
    let buffer = OutputBuffer()
    buffer.takesSharedParts = true
    var octets: [UInt8] = []
    for number in 0..<(HTTP2Limits.vectorsPerWrite + 10) {
      let part = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: HTTP2Limits.leastSharedPart)
      buffer.append(part, 0..<part.count)
      octets += part
    }
    var ends: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    let channel = try ByteChannel(Descriptor(ends[0]), tls: nil)
    let reader = Descriptor(ends[1])
    var pending = PendingOutput(buffer, after: 0)
    var received: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while received.count < octets.count {
      try pending.write(to: channel)
      let count = read(reader.number, &chunk, chunk.count)
      if count > 0 { received += chunk[..<count] }
    }
    #expect(received == octets)
  }
}

extension PendingOutput {
  /// The octets of all arrays that are kept in memory, each counted once.
  fileprivate var heldOctets: Int {
    var lengths: [UnsafeRawPointer?: Int] = [:]
    for part in parts { lengths[part.bytes.withUnsafeBytes(\.baseAddress)] = part.bytes.count }
    return lengths.values.reduce(0, +)
  }
}
