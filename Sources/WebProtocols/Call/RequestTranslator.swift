internal import RPC

/// Turns the body of a web protocol's request into gRPC's frames: a parser of bytes, which knows nothing of streams.
protocol RequestTranslator {
  /// Takes bytes of the body, and gives what the core can have of them so far.
  /// - Throws: what the call ends with.
  mutating func take(_ bytes: Span<UInt8>) throws(RPCError) -> [UInt8]
  /// The end of the body, and the rest for the core.
  mutating func end() throws(RPCError) -> [UInt8]
  /// Bytes held of a message that is not whole.
  var heldBytes: Int { get }
}

/// A body that is one bare message, or a message that came with the head.
struct WholeBody: RequestTranslator {
  private let coding: MessageCoding
  private let isFromQuery: Bool
  private var message: [UInt8]

  init(_ coding: MessageCoding) {
    self.coding = coding
    isFromQuery = false
    message = []
  }

  /// - Parameter message: from the query of a GET, whose body has no meaning.
  init(_ coding: MessageCoding, message: [UInt8]) {
    self.coding = coding
    isFromQuery = true
    self.message = message
  }

  var heldBytes: Int { isFromQuery ? 0 : message.count }

  mutating func take(_ bytes: Span<UInt8>) throws(RPCError) -> [UInt8] {
    guard !isFromQuery else { return [] }
    guard message.count + bytes.count <= coding.limits.messageBytes else {
      throw RPCError(
        .resourceExhausted, "the message is longer than the limit of \(coding.limits.messageBytes) bytes")
    }
    message.append(copying: bytes)
    return []
  }

  mutating func end() throws(RPCError) -> [UInt8] {
    let whole = message
    message = []
    // An empty body stands for an empty message, whatever the head says of its encoding.
    return try coding.request(whole[...], isCompressed: coding.requestEncoding != .identity && !whole.isEmpty)
  }
}

/// A body of messages behind prefixes, of which the core would not understand the form.
struct EnvelopedBody: RequestTranslator {
  private let coding: MessageCoding
  private var deframer: MessageDeframer

  init(_ coding: MessageCoding) {
    self.coding = coding
    deframer = MessageDeframer(limit: coding.limits.messageBytes)
  }

  var heldBytes: Int { deframer.unreadCount }

  mutating func take(_ bytes: Span<UInt8>) throws(RPCError) -> [UInt8] {
    deframer.append(bytes)
    var frames: [UInt8] = []
    while let frame = try deframer.nextFrame() {
      let payload = deframer.buffer[frame.payload]
      frames.append(contentsOf: try coding.request(payload, isCompressed: frame.isCompressed))
    }
    return frames
  }

  mutating func end() throws(RPCError) -> [UInt8] {
    do throws(FramingError) {
      try deframer.finish()
      return []
    } catch {
      throw error.rpcError
    }
  }
}

extension MessageDeframer {
  /// `next`, with the error that a call ends with.
  mutating func nextFrame() throws(RPCError) -> Frame? {
    do throws(FramingError) {
      return try next()
    } catch {
      throw error.rpcError
    }
  }
}
