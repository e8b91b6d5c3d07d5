internal import CZlib

/// A compressor of zlib. One user at a time.
final class Deflater: PooledState {
  // Never moved: zlib's state points back at it.
  private let stream: UnsafeMutablePointer<z_stream>

  init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // The fastest level: it runs on event loops, where zlib's default would hold up others three times as long for a
    // result that is a tenth smaller.
    let result = octet_deflate_init(stream, Z_BEST_SPEED)
    // With these arguments it fails only for want of memory, or if another zlib is linked than was compiled against.
    precondition(result == Z_OK, "deflateInit2 failed: \(result)")
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// See `Gzip.compress`.
  func compress(_ input: Span<UInt8>, headroom: Int) -> [UInt8]? {
    // Room for one octet less than came in: what needs more is of no use.
    guard input.count > 1, let available = UInt32(exactly: input.count - 1) else { return nil }
    defer { deflateReset(stream) }
    var isComplete = false
    let output = [UInt8](unsafeUninitializedCapacity: headroom + Int(available)) { buffer, count in
      buffer[..<headroom].initialize(repeating: 0)
      let start = buffer.baseAddress.unsafelyUnwrapped + headroom  // Not empty.
      input.withUnsafeBufferPointer { input in
        // zlib does not write through `next_in`, although its type allows it.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        stream.pointee.avail_in = available + 1
        stream.pointee.next_out = start
        stream.pointee.avail_out = available
        isComplete = deflate(stream, Z_FINISH) == Z_STREAM_END
        stream.pointee.next_in = nil
        stream.pointee.next_out = nil
      }
      count = headroom + Int(available - stream.pointee.avail_out)
    }
    return isComplete ? output : nil
  }
}
