/// Where frames are gathered before they are written.
final class OutputBuffer {
  private(set) var count = 0
  private var base: UnsafeMutableRawPointer
  private var capacity: Int

  init(capacity: Int = HTTP2Limits.outputBatchSize + 64 * 1024) {
    self.capacity = capacity
    base = .allocate(byteCount: capacity, alignment: 64)
  }

  deinit {
    base.deallocate()
  }

  /// Valid until the next append.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  func removeAll() {
    count = 0
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
