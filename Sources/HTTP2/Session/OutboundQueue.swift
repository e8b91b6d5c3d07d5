/// The body bytes that one stream has to send: shared arrays, in order. The first is held apart, because one chunk
/// is the usual case and then needs no allocation.
struct OutboundQueue {
  private var first: [UInt8] = []
  /// How much of `first` is sent.
  private var offset = 0
  private var rest: [[UInt8]] = []
  /// How many of `rest` have moved to `first`.
  private var taken = 0

  /// Bytes that wait.
  private(set) var count = 0

  /// Adds a chunk.
  mutating func append(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    if count == 0 {
      first = bytes
      offset = 0
    } else {
      rest.append(bytes)
    }
    count += bytes.count
  }

  /// Moves `length` bytes, which must be there, to `output`.
  mutating func move(_ length: Int, to output: OutputBuffer) {
    precondition(length <= count, "more bytes promised than queued")
    count -= length
    var missing = length
    while missing > 0 {
      let part = min(missing, first.count - offset)
      output.append(first, offset..<(offset + part))
      offset += part
      missing -= part
      if offset == first.count { advance() }
    }
  }

  /// Drops everything.
  mutating func removeAll() {
    self = OutboundQueue()
  }

  private mutating func advance() {
    offset = 0
    if taken < rest.count {
      first = rest[taken]
      rest[taken] = []
      taken += 1
      if taken == rest.count {
        rest.removeAll(keepingCapacity: true)
        taken = 0
      } else if taken >= HTTP2Limits.deadPlaces, taken * 2 >= rest.count {
        // A queue that never runs empty must not grow without end.
        rest.removeFirst(taken)
        taken = 0
      }
    } else {
      first = []
    }
  }
}
