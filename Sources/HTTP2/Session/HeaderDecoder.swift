internal import CNghttp2

/// HPACK's decoder: nghttp2's, made when the first header block comes.
struct HeaderDecoder: ~Copyable {
  private let inflater: OpaquePointer
  /// Where the tables are.
  private let memory: SessionMemory

  init(memory: SessionMemory) {
    self.memory = memory
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

  /// Whether decoding a header block leaves the dynamic table as it is: the same octets mean the same fields until
  /// another block changes the table. False as well for what is malformed.
  static func leavesTable(_ block: UnsafeRawBufferPointer) -> Bool {
    var position = 0
    while position < block.count {
      let octet = block[position]
      if octet & 0x80 != 0 {
        // An indexed field (RFC 7541 §6.1).
        guard integer(block, &position, prefix: 7) != nil else { return false }
      } else if octet & 0xe0 == 0 {
        // A literal that is not added to the table (§6.2.2, §6.2.3); index 0 means that its name follows.
        guard let index = integer(block, &position, prefix: 4) else { return false }
        guard index > 0 || skipString(block, &position), skipString(block, &position) else { return false }
      } else {
        // A literal that is added, or a new size of the table (§6.2.1, §6.3).
        return false
      }
    }
    return true
  }

  private static func skipString(_ block: UnsafeRawBufferPointer, _ position: inout Int) -> Bool {
    guard let length = integer(block, &position, prefix: 7), length <= block.count - position else { return false }
    position += length
    return true
  }

  /// An integer whose first octet has `prefix` bits of it (RFC 7541 §5.1); nil if it is cut off or out of proportion.
  private static func integer(_ block: UnsafeRawBufferPointer, _ position: inout Int, prefix: Int) -> Int? {
    guard position < block.count else { return nil }
    let most = 1 << prefix - 1
    var value = Int(block[position]) & most
    position += 1
    guard value == most else { return value }
    for shift in stride(from: 0, to: 28, by: 7) {
      guard position < block.count else { return nil }
      let octet = Int(block[position])
      position += 1
      value += (octet & 0x7f) << shift
      if octet < 0x80 { return value }
    }
    return nil
  }
}
