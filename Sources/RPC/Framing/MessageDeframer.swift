/// Cuts a body into gRPC's length-prefixed messages: a parser of bytes, which knows nothing of streams.
///
/// The messages stay in the buffer until they are asked for, so the memory it takes is what the peer was allowed to
/// send and no more.
package struct MessageDeframer {
  /// Where the next message lies.
  package struct Frame: Equatable {
    /// The wire form within `buffer`; valid until the next `append`.
    package var payload: Range<Int>
    package var isCompressed: Bool
  }

  /// What has come in and not been dropped yet.
  package private(set) var buffer: [UInt8] = []
  private var position = 0
  let limit: Int

  /// - Parameter limit: the greatest length of one message in bytes.
  package init(limit: Int) {
    self.limit = limit
  }

  /// The bytes that no call of `next` has given away.
  package var unreadCount: Int { buffer.count - position }

  package mutating func append(_ bytes: Span<UInt8>) {
    if position == buffer.count {
      buffer.removeAll(keepingCapacity: buffer.capacity <= RPCLimits.retainedBufferBytes)
      position = 0
    } else if position > RPCLimits.retainedBufferBytes {
      buffer.removeSubrange(..<position)
      position = 0
    }
    buffer.append(copying: bytes)
  }

  /// Frees the buffer if everything in it has been given away and it is larger than `limit`. What `next` has given
  /// away must have been taken out.
  mutating func release(above limit: Int) {
    guard position == buffer.count, buffer.capacity > limit else { return }
    buffer = []
    position = 0
  }

  /// The next whole message; nil if more bytes are needed.
  /// - Throws: as soon as a prefix shows that the message cannot be accepted; again at every further call.
  package mutating func next() throws(FramingError) -> Frame? {
    guard let prefix = try prefix() else { return nil }
    let start = position + EncodedMessage.prefixLength
    guard buffer.count - start >= prefix.length else { return nil }
    position = start + prefix.length
    return Frame(payload: start..<position, isCompressed: prefix.isCompressed)
  }

  /// Whether `next` would give a message.
  /// - Throws: what `next` would throw.
  package func hasNext() throws(FramingError) -> Bool {
    guard let prefix = try prefix() else { return false }
    return unreadCount - EncodedMessage.prefixLength >= prefix.length
  }

  /// Whether `next` would give a compressed message.
  package var hasNextCompressed: Bool {
    guard let prefix = try? prefix() else { return false }
    return prefix.isCompressed && unreadCount - EncodedMessage.prefixLength >= prefix.length
  }

  /// How many whole messages wait, up to the first that cannot be accepted.
  var waitingCount: Int {
    var count = 0
    var start = position
    while buffer.count - start >= EncodedMessage.prefixLength,
      let prefix = try? Self.prefix(of: buffer.span, at: start, limit: limit),
      buffer.count - start - EncodedMessage.prefixLength >= prefix.length
    {
      count += 1
      start += EncodedMessage.prefixLength + prefix.length
    }
    return count
  }

  /// Checks the end of the body.
  /// - Throws: `.truncated` if it ended within a message.
  package func finish() throws(FramingError) {
    guard unreadCount == 0 else { throw .truncated }
  }

  private func prefix() throws(FramingError) -> (length: Int, isCompressed: Bool)? {
    guard unreadCount >= EncodedMessage.prefixLength else { return nil }
    return try Self.prefix(of: buffer.span, at: position, limit: limit)
  }

  private static func prefix(
    of bytes: Span<UInt8>, at position: Int, limit: Int
  ) throws(FramingError) -> (length: Int, isCompressed: Bool) {
    guard bytes[position] <= 1 else { throw .invalidFlag }
    let length =
      Int(bytes[position + 1]) << 24 | Int(bytes[position + 2]) << 16 | Int(bytes[position + 3]) << 8
      | Int(bytes[position + 4])
    guard length <= limit else { throw .tooLarge(length: length, limit: limit) }
    return (length, bytes[position] == 1)
  }

  /// If nothing is buffered and `bytes` are exactly one uncompressed message, where its wire form lies: the usual case
  /// of a unary call, which needs no copy then.
  func soleMessage(in bytes: Span<UInt8>) -> Range<Int>? {
    guard unreadCount == 0, bytes.count >= EncodedMessage.prefixLength,
      let prefix = try? Self.prefix(of: bytes, at: 0, limit: limit), !prefix.isCompressed,
      prefix.length == bytes.count - EncodedMessage.prefixLength
    else { return nil }
    return EncodedMessage.prefixLength..<bytes.count
  }
}

/// Why a body is not a sequence of messages.
package enum FramingError: Error, Equatable {
  case tooLarge(length: Int, limit: Int)
  case invalidFlag
  case truncated
  /// A compressed message in a call that declares no encoding.
  case undeclaredCompression
  /// A compressed message in an encoding that is not known here.
  case unknownCompression
  /// A compressed message that cannot be decompressed.
  case corrupt
  /// A compressed message whose wire form is beyond the limit.
  case inflatesTooLarge(limit: Int)
}

extension FramingError: RPCErrorConvertible {
  package var rpcError: RPCError {
    switch self {
    case .tooLarge(let length, let limit):
      RPCError(.resourceExhausted, "a message of \(length) bytes is longer than the limit of \(limit)")
    case .invalidFlag: RPCError(.internal, "a message prefix has an invalid compressed-flag")
    case .truncated: RPCError(.internal, "the body ended within a message")
    case .undeclaredCompression: RPCError(.internal, "a message is compressed, but the call declares no encoding")
    case .unknownCompression: RPCError(.internal, "a message is compressed in an encoding that was not offered")
    case .corrupt: RPCError(.internal, "a compressed message cannot be decompressed")
    case .inflatesTooLarge(let limit):
      RPCError(.resourceExhausted, "a message is longer, decompressed, than the limit of \(limit)")
    }
  }
}
