internal import RPC

/// Turns the body of a web protocol's request into gRPC's frames: a parser of bytes, which knows nothing of streams.
protocol RequestTranslator {
  /// Takes bytes of the body, and gives what the core can have of them so far.
  /// - Throws: what the call ends with.
  mutating func take(_ bytes: Span<UInt8>) throws(RPCError) -> [UInt8]
  /// The end of the body, and the rest for the core.
  mutating func end() throws(RPCError) -> [UInt8]
  /// Bytes held of messages that the core does not have.
  var heldBytes: Int { get }
  /// Whether it holds a whole message that is to be decompressed and has to wait for its turn. It gives nothing then.
  var awaitsTurn: Bool { get }
  /// That message may be decompressed: the next call of `take` or `end` gives it.
  mutating func turnCame()
}

extension RequestTranslator {
  var awaitsTurn: Bool { false }
  mutating func turnCame() {}
}

/// What a translator knows of its turn.
struct TranslatorTurn {
  /// See `RequestTranslator.awaitsTurn`.
  private(set) var isAwaited = false
  private var isThere = false

  mutating func came() {
    isAwaited = false
    isThere = true
  }

  /// Whether a message can be translated now; otherwise its turn is awaited. A turn is for one message.
  mutating func isFree(for coding: MessageCoding, isCompressed: Bool) -> Bool {
    if isAwaited { return false }
    if isCompressed, isThere {
      isThere = false
      return true
    }
    isAwaited = coding.mustAwaitTurn(isCompressed: isCompressed)
    return !isAwaited
  }
}

/// A body that is one bare message, or a message that came with the head.
struct WholeBody: RequestTranslator {
  private let coding: MessageCoding
  private let isFromQuery: Bool
  private var message: [UInt8]
  private var turn = TranslatorTurn()

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
  var awaitsTurn: Bool { turn.isAwaited }

  mutating func turnCame() { turn.came() }

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
    // An empty body stands for an empty message, whatever the head says of its encoding.
    let isCompressed = coding.requestEncoding != .identity && !message.isEmpty
    guard turn.isFree(for: coding, isCompressed: isCompressed) else { return [] }
    let whole = message
    message = []
    return try coding.request(whole[...], isCompressed: isCompressed)
  }
}

/// A body of messages behind prefixes, of which the core would not understand the form.
struct EnvelopedBody: RequestTranslator {
  private let coding: MessageCoding
  private var deframer: MessageDeframer
  private var turn = TranslatorTurn()

  init(_ coding: MessageCoding) {
    self.coding = coding
    deframer = MessageDeframer(limit: coding.limits.messageBytes)
  }

  var heldBytes: Int { deframer.unreadCount }
  var awaitsTurn: Bool { turn.isAwaited }

  mutating func turnCame() { turn.came() }

  mutating func take(_ bytes: Span<UInt8>) throws(RPCError) -> [UInt8] {
    deframer.append(bytes)
    var frames: [UInt8] = []
    while turn.isFree(for: coding, isCompressed: deframer.hasNextCompressed), let frame = try deframer.nextFrame() {
      let payload = deframer.buffer[frame.payload]
      frames.append(contentsOf: try coding.request(payload, isCompressed: frame.isCompressed))
    }
    return frames
  }

  mutating func end() throws(RPCError) -> [UInt8] {
    if turn.isAwaited { return [] }
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
