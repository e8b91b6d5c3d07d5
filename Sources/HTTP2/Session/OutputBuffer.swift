/// Where frames are gathered for one write. A class with memory of its own, because nghttp2's callbacks append to it
/// while a session is being asked for output.
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

  @inline(__always)
  func append(_ source: UnsafeRawPointer, _ length: Int) {
    if count + length > capacity { grow(length) }
    (base + count).copyMemory(from: source, byteCount: length)
    count += length
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
