internal import CLinux

/// What a socket has not taken yet, in order: copied octets and shared parts of bodies.
///
/// A part keeps its whole array in memory, also when its stream is gone. So what is left of an array is copied as soon as
/// less than half of it waits here: nothing is held that is longer than twice what waits of it, and a stream of large
/// bodies costs a fraction of the copying that there would be without shared parts.
struct PendingOutput {
  private(set) var parts: [(bytes: [UInt8], range: Range<Int>)] = []
  private var first = 0
  /// How many octets have been taken since this was made.
  private(set) var taken = 0

  init() {}

  /// What is in `bytes`.
  init(_ bytes: UnsafeRawBufferPointer) {
    parts = [([UInt8](bytes), 0..<bytes.count)]
  }

  /// What is in `output` beyond the first `written` octets.
  init(_ output: OutputBuffer, after written: Int) {
    var skipped = written
    var position = 0
    func rest(of range: Range<Int>) -> Range<Int> {
      let gone = min(skipped, range.count)
      skipped -= gone
      return (range.lowerBound + gone)..<range.upperBound
    }
    func copy(to end: Int) {
      let range = rest(of: position..<end)
      position = end
      if !range.isEmpty { parts.append(([UInt8](output.bytes[range]), 0..<range.count)) }
    }
    for part in output.shared {
      copy(to: part.position)
      let range = rest(of: part.range)
      if !range.isEmpty { parts.append((part.bytes, range)) }
    }
    copy(to: output.count)
    letGo()
  }

  var isEmpty: Bool { first == parts.count }

  /// How many octets wait.
  var count: Int { parts[first...].reduce(0) { $0 + $1.range.count } }

  /// Sends as much as the socket takes now.
  mutating func write(to channel: ByteChannel) throws(ChannelError) {
    while !isEmpty {
      let outcome: ByteChannel.Outcome
      if channel.takesVectors, parts.count - first > 1 {
        var vectors = parts[first...].prefix(HTTP2Limits.vectorsPerWrite).map { Vectors.make($0.bytes, $0.range) }
        outcome = try channel.write(&vectors, from: 0)
      } else {
        outcome = try channel.write(parts[first].bytes, parts[first].range)
      }
      guard case .moved(let count) = outcome else { return letGo() }
      taken += count
      drop(count)
    }
    parts = []
    first = 0
  }

  private mutating func drop(_ count: Int) {
    var missing = count
    while missing > 0 {
      let range = parts[first].range
      let gone = min(missing, range.count)
      missing -= gone
      if gone == range.count {
        // Memory of what is sent is not kept for what is not.
        parts[first] = ([], 0..<0)
        first += 1
      } else {
        parts[first].range = (range.lowerBound + gone)..<range.upperBound
      }
    }
  }

  /// Copies the parts of arrays of which less than half waits.
  private mutating func letGo() {
    // Mostly there is none, which is seen without counting.
    guard parts[first...].contains(where: { 2 * $0.range.count < $0.bytes.count }) else { return }
    var waiting: [UnsafeRawPointer?: Int] = [:]
    for part in parts[first...] { waiting[part.bytes.withUnsafeBytes(\.baseAddress), default: 0] += part.range.count }
    for index in first..<parts.count {
      let (bytes, range) = parts[index]
      guard 2 * waiting[bytes.withUnsafeBytes(\.baseAddress), default: 0] < bytes.count else { continue }
      parts[index] = ([UInt8](bytes[range]), 0..<range.count)
    }
  }
}

/// Lists of places that a system call takes.
enum Vectors {
  /// The place of a part of an array. Whoever uses it must hold the array, which keeps its octets where they are.
  static func make(_ bytes: [UInt8], _ range: Range<Int>) -> iovec {
    bytes.withUnsafeBytes {
      iovec(
        iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress! + range.lowerBound),  // not empty
        iov_len: range.count)
    }
  }

  /// The places of all octets of `output`, in order. Valid until it changes.
  static func make(_ output: OutputBuffer) -> [iovec] {
    var vectors: [iovec] = []
    vectors.reserveCapacity(2 * output.shared.count + 1)
    var position = 0
    func copied(to end: Int) {
      guard end > position else { return }
      vectors.append(iovec(iov_base: output.bytes(from: position), iov_len: end - position))
      position = end
    }
    for part in output.shared {
      copied(to: part.position)
      vectors.append(make(part.bytes, part.range))
    }
    copied(to: output.count)
    return vectors
  }
}
