internal import CNghttp2

/// HPACK's decoder: nghttp2's, made when the first header block comes.
struct HeaderDecoder: ~Copyable {
  private let inflater: OpaquePointer

  /// - Parameter memory: outlives the decoder.
  init(memory: SessionMemory) {
    var made: OpaquePointer?
    let result = nghttp2_hd_inflate_new2(&made, memory.hooks)
    precondition(result == 0, "nghttp2_hd_inflate_new2: out of memory")
    // Not nil, as the call succeeded.
    inflater = made!
  }

  deinit {
    nghttp2_hd_inflate_del(inflater)
  }

  /// Decodes the next part of a header block, and calls `body` for each field with octets that are valid during the
  /// call only.
  /// - Returns: false if the block is malformed: the connection cannot go on, because the tables of the two sides
  ///   differ from now on.
  @inline(__always)
  func decode(
    _ fragment: UnsafeRawBufferPointer, isLast: Bool,
    _ body: (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) -> Bool
  ) -> Bool {
    var next = fragment.assumingMemoryBound(to: UInt8.self).baseAddress
    var left = fragment.count
    while true {
      var field = nghttp2_nv()
      var flags: Int32 = 0
      let used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, next, left, isLast ? 1 : 0)
      guard used >= 0 else { return false }
      next = next.map { $0 + used }
      left -= used
      let isField = flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0
      if isField {
        let goesOn = body(
          UnsafeBufferPointer(start: field.name, count: field.namelen),
          UnsafeBufferPointer(start: field.value, count: field.valuelen))
        if !goesOn { return true }
      }
      if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 {
        nghttp2_hd_inflate_end_headers(inflater)
        return true
      }
      if !isField, left == 0 { return true }
    }
  }

  /// Whether a header block consists of references to the tables alone, so that decoding it changes neither of them:
  /// the same octets mean the same fields until another block changes them.
  static func isPure(_ block: UnsafeRawBufferPointer) -> Bool {
    // An index of one octet is 1xxxxxxx; with all bits set it goes on in the next (RFC 7541 §5.1, §6.1).
    for octet in block where octet < 0x80 || octet == 0xff { return false }
    return true
  }
}
