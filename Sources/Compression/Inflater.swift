internal import CZlib

/// A decompressor of zlib. One user at a time.
final class Inflater: PooledState {
  // Never moved: zlib's state points back at it.
  private let stream: UnsafeMutablePointer<z_stream>
  private let piece: UnsafeMutableBufferPointer<UInt8>

  init() {
    piece = .allocate(capacity: CompressionLimits.pieceBytes)
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let result = octet_inflate_init(stream)
    // As in Deflater.
    precondition(result == Z_OK, "inflateInit2 failed: \(result)")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    piece.deallocate()
  }

  /// See `Gzip.decompress`.
  func decompress(_ input: Span<UInt8>, limit: Int) throws(GzipError) -> [UInt8] {
    guard !input.isEmpty, let length = UInt32(exactly: input.count) else { throw .corrupt }
    defer {
      inflateReset(stream)
      stream.pointee.next_in = nil
      stream.pointee.next_out = nil
    }
    return try input.withUnsafeBufferPointer { input throws(GzipError) in
      // zlib does not write through `next_in`, although its type allows it.
      stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      stream.pointee.avail_in = length
      return try inflateMembers(limit: limit)
    }
  }

  private func inflateMembers(limit: Int) throws(GzipError) -> [UInt8] {
    var output: [UInt8] = []
    while true {
      // One octet more than the limit, to see whether it is exceeded.
      let room = min(piece.count - 1, limit - output.count) + 1
      stream.pointee.next_out = piece.baseAddress
      stream.pointee.avail_out = UInt32(room)
      let result = inflate(stream, Z_NO_FLUSH)
      let produced = room - Int(stream.pointee.avail_out)
      guard output.count + produced <= limit else { throw .tooLarge(limit: limit) }
      output.append(contentsOf: piece[..<produced])
      switch result {
      case Z_OK:
        continue
      case Z_STREAM_END:
        if stream.pointee.avail_in == 0 { return output }
        inflateReset(stream)
      default:
        // Z_BUF_ERROR is one as well: there is room always, so the input has ended too early.
        throw .corrupt
      }
    }
  }
}
