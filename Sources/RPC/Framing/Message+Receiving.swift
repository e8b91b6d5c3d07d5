public import ProtobufRuntime

extension Message {
  /// Decodes a received request and checks it.
  /// - Throws: INVALID_ARGUMENT for what is no such message or breaks rules of the proto, with every field that does;
  ///   RESOURCE_EXHAUSTED for one that costs too much.
  @inlinable
  init(request payload: Span<UInt8>, limits: DecodeLimits) throws(RPCError) {
    try self.init(received: payload, limits: limits)
    try requireValid()
  }

  /// Decodes a received message.
  /// - Throws: INVALID_ARGUMENT for what is no such message, RESOURCE_EXHAUSTED for one that costs too much.
  @inlinable
  init(received payload: Span<UInt8>, limits: DecodeLimits) throws(RPCError) {
    do throws(DecodeError) {
      // `bytes` of a span is unsafe only for elements with padding, which octets are without.
      unsafe try self.init(decoding: payload.bytes, limits: limits)
    } catch {
      throw RPCError(decoding: error, of: Self.fullName)
    }
  }

  /// - Throws: INVALID_ARGUMENT with every field that breaks a rule of the proto.
  @inlinable
  func requireValid() throws(RPCError) {
    var violations = Violations()
    validate(into: &violations)
    if !violations.isEmpty { throw RPCError.invalid(violations.found) }
  }
}

extension RPCError {
  /// The error for a message that cannot be decoded.
  @usableFromInline
  init(decoding error: DecodeError, of name: String) {
    switch error {
    case .malformed: self.init(.invalidArgument, "not a valid \(name)")
    case .tooDeep: self.init(.invalidArgument, "the \(name) is nested too deeply")
    case .overBudget: self.init(.resourceExhausted, "decoding the \(name) takes too much memory")
    case .tooMany: self.init(.resourceExhausted, "the \(name) has too many elements")
    case .invalidUTF8(let field): self.init(.invalidArgument, "\(field) is not valid UTF-8")
    }
  }
}
