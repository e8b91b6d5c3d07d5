internal import ProtobufRuntime
internal import RPC

/// Brings the messages of one call from the form in which the web sends them into gRPC's, and back.
struct MessageCoding {
  let format: MessageFormat
  let codec: JSONCodec
  let limits: WebLimits
  /// nil if the descriptors do not have the method; then there is no JSON for it.
  let method: WebMethod?
  /// How messages of the request may be compressed. Those in protobuf stay so: the core decompresses them.
  var requestEncoding = MessageEncoding.identity
  /// Who may decompress messages when; nil lets everybody at once.
  var turns: InflateTurns?

  /// Whether a request message has to wait for its turn before it can be translated.
  func mustAwaitTurn(isCompressed: Bool) -> Bool {
    guard isCompressed, format == .json, let turns else { return false }
    return !turns.mayGoOn
  }

  /// The frame, as gRPC has it, for a request message.
  func request(_ message: ArraySlice<UInt8>, isCompressed: Bool) throws(RPCError) -> [UInt8] {
    guard format == .json else { return Self.frame(message, flags: isCompressed ? 1 : 0) }
    var options = JSONReadOptions()
    options.ignoresUnknownFields = limits.ignoresUnknownJSONFields
    let type = try known().request
    var json = isCompressed ? try decompress(message, requestEncoding, limit: limits.messageBytes) : message
    // A body without a character is what tools send for "nothing"; it can only mean the empty message.
    if json.isEmpty { json = Array("{}".utf8)[...] }
    do throws(JSONError) {
      return Self.frame(try codec.wire(fromJSON: Array(json), type: type, options: options)[...])
    } catch {
      let isTooMuch = error.reason == .tooMany || error.reason == .tooCostly
      let code: StatusCode = isTooMuch ? .resourceExhausted : .invalidArgument
      throw RPCError(code, "the JSON is no valid \(type): \(error.description)")
    }
  }

  /// A response message in the form of the web. What the core compressed is compressed again, if that is of use.
  func response(
    _ message: ArraySlice<UInt8>, isCompressed: Bool
  ) throws(RPCError) -> (message: ArraySlice<UInt8>, isCompressed: Bool) {
    guard format == .json else { return (message, isCompressed) }
    let type = try known().response
    // It is our own message, so that nothing needs to bound it, and an answer waits for no turn; what it takes counts.
    let wire = isCompressed ? try decompress(message, .gzip, limit: .max - 1) : message
    let json: [UInt8]
    do throws(JSONError) {
      json = try codec.json(fromWire: Array(wire), type: type)
    } catch {
      throw RPCError(.internal, "the answer has no JSON form: \(error.description)")
    }
    guard isCompressed else { return (json[...], false) }
    let frame = MessageCompression.compress(Self.frame(json[...]))
    return (frame.dropFirst(EncodedMessage.prefixLength), frame[0] != 0)
  }

  private func decompress(
    _ message: ArraySlice<UInt8>, _ encoding: MessageEncoding, limit: Int
  ) throws(RPCError) -> ArraySlice<UInt8> {
    do throws(FramingError) {
      return try MessageCompression.decompress(message, encoding, limit: limit, counting: turns)
    } catch {
      throw error.rpcError
    }
  }

  private func known() throws(RPCError) -> WebMethod {
    guard let method else {
      throw RPCError(.unimplemented, "the method has no JSON form here: its descriptor is not known")
    }
    return method
  }

  /// A message behind a prefix.
  static func frame(_ message: ArraySlice<UInt8>, flags: UInt8 = 0) -> [UInt8] {
    var frame: [UInt8] = []
    frame.reserveCapacity(EncodedMessage.prefixLength + message.count)
    frame.append(contentsOf: repeatElement(0, count: EncodedMessage.prefixLength))
    frame.append(contentsOf: message)
    frame[0] = flags
    return EncodedMessage(reserved: frame).bytes
  }
}
