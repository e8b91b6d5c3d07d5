/// Where frames are gathered before they are written. Octets are copied into it, but for large parts of bodies, which may
/// stay where they lie and are only noted, with their place among the others.
final class OutputBuffer {
  /// A part of a body that is not copied.
  struct SharedPart {
    /// How many of the copied octets come before it.
    let position: Int
    let bytes: [UInt8]
    let range: Range<Int>
  }

  /// How many octets are copied.
  private(set) var count = 0
  private(set) var shared: [SharedPart] = []
  private var sharedCount = 0
  /// Whether whoever writes the octets can take shared parts.
  var takesSharedParts = false

  /// How many octets there are, copied or not.
  var total: Int { count + sharedCount }

  private var base: UnsafeMutableRawPointer
  private(set) var capacity: Int

  init(capacity: Int = HTTP2Limits.outputBatchSize + 64 * 1024) {
    self.capacity = capacity
    base = .allocate(byteCount: capacity, alignment: 64)
  }

  deinit {
    base.deallocate()
  }

  /// The copied octets. Valid until the next append.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  func removeAll() {
    count = 0
    if !shared.isEmpty { shared.removeAll(keepingCapacity: true) }
    sharedCount = 0
  }

  /// Frees the memory beyond `size` if nothing is held.
  func shrink(to size: Int) {
    guard count == 0, capacity > size else { return }
    base.deallocate()
    base = .allocate(byteCount: size, alignment: 64)
    capacity = size
  }

  /// Room for `length` octets after the last; `commit` makes them count.
  @inline(__always)
  func reserve(_ length: Int) -> UnsafeMutableRawPointer {
    if count + length > capacity { grow(length) }
    return base + count
  }

  /// Counts octets that were written where `reserve` said.
  @inline(__always)
  func commit(_ length: Int) {
    count += length
  }

  /// Takes back what is beyond `length`.
  func truncate(to length: Int) {
    count = min(count, length)
  }

  /// The octets from `offset` on, to be changed in place.
  @inline(__always)
  func bytes(from offset: Int) -> UnsafeMutableRawPointer { base + offset }

  /// Appends the head of a frame.
  @inline(__always)
  func append(_ header: FrameHeader) {
    header.write(to: reserve(FrameHeader.size))
    commit(FrameHeader.size)
  }

  @inline(__always)
  func append(_ source: UnsafeRawPointer, _ length: Int) {
    if count + length > capacity { grow(length) }
    (base + count).copyMemory(from: source, byteCount: length)
    count += length
  }

  /// Appends a part of a body, without copying it if it is large and may be shared.
  @inline(__always)
  func append(_ bytes: [UInt8], _ range: Range<Int>) {
    if takesSharedParts, range.count >= HTTP2Limits.leastSharedPart {
      shared.append(SharedPart(position: count, bytes: bytes, range: range))
      sharedCount += range.count
    } else {
      bytes.withUnsafeBytes { append($0.baseAddress.unsafelyUnwrapped + range.lowerBound, range.count) }
    }
  }

  func append(_ octets: [UInt8]) {
    octets.withUnsafeBytes { octets in
      if let base = octets.baseAddress { append(base, octets.count) }
    }
  }

  private func grow(_ length: Int) {
    let larger = max(capacity * 2, count + length)
    let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 64)
    moved.copyMemory(from: base, byteCount: count)
    base.deallocate()
    base = moved
    capacity = larger
  }
}
