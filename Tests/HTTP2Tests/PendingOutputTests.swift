import Glibc
import Testing

@testable import HTTP2

@Suite struct PendingOutputTests {
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
    let longest = [UInt8](repeating: 0, count: HTTP2Limits.largestSharedBody)
    buffer.append(longest, 0..<HTTP2Limits.leastSharedPart)
    #expect(buffer.shared.count == 1)
    buffer.append(longest + [0], 0..<HTTP2Limits.leastSharedPart)
    #expect(buffer.shared.count == 1 && buffer.count == HTTP2Limits.leastSharedPart)
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
      while received.count < octets.count - written {
        try pending.write(to: channel)
        let count = read(reader.number, &chunk, chunk.count)
        if count > 0 { received += chunk[..<count] }
      }
      #expect(pending.isEmpty && pending.taken == octets.count - written)
      #expect(received == Array(octets[written...]), "after \(written)")
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
