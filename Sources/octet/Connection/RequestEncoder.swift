import ProtobufRuntime
import RPC

/// Makes messages of a request from JSON or from lines of text.
struct RequestEncoder: Sendable {
  let codec: JSONCodec
  /// The full name of the request message.
  let type: String
  /// Whether a message with a field `request_id` and nothing in it gets a new UUID.
  let fillsRequestID: Bool

  /// The wire form of one message.
  func wire(_ object: [UInt8]) throws(JSONError) -> [UInt8] {
    let wire = try codec.wire(fromJSON: object, type: type)
    guard fillsRequestID, let field = missingRequestID(in: wire) else { return wire }
    return Self.appendingRequestID(to: wire, field)
  }

  /// The number of a message's field `request_id`, if there is one with nothing in it.
  func missingRequestID(in wire: [UInt8]) -> Int32? {
    guard let message = DynamicMessage(wire, type: type, pool: codec.pool),
      let field = message.type.field(named: RequestFlags.requestID), field.type == .string, !field.isRepeated,
      message.text(field.name).isEmpty
    else { return nil }
    return field.number
  }

  /// A message with a new UUID in a field that it does not have yet.
  static func appendingRequestID(to wire: [UInt8], _ field: Int32) -> [UInt8] {
    var writer = WireWriter()
    writer.raw(wire)
    writer.tag(field, .lengthDelimited)
    writer.lengthDelimited(Array(RequestID.make().utf8))
    return writer.bytes
  }

  /// Sends the JSON objects of a file as they come.
  func feed(_ file: InputFile, to requests: RequestWriter<RawMessage>) async throws {
    var splitter = JSONSplitter()
    var count = 0
    while let piece = try await file.next() {
      for object in splitter.feed(piece) {
        count += 1
        try await send(object, number: count, to: requests)
      }
    }
    if let rest = splitter.finish() { try await send(rest, number: count + 1, to: requests) }
  }

  /// Sends the lines of a file as they come; empty ones are passed over.
  func feed(
    linesOf file: InputFile, as object: @Sendable (String) -> JSONText, to requests: RequestWriter<RawMessage>
  ) async throws {
    var rest: [UInt8] = []
    var count = 0
    while let piece = try await file.next() {
      rest += piece
      while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: rest[..<end], as: UTF8.self).trimmingEnd
        rest.removeSubrange(...end)
        if line.isEmpty { continue }
        count += 1
        try await send(Array(object(line).text.utf8), number: count, to: requests)
      }
    }
    let line = String(decoding: rest, as: UTF8.self).trimmingEnd
    if !line.isEmpty { try await send(Array(object(line).text.utf8), number: count + 1, to: requests) }
  }

  private func send(_ object: [UInt8], number: Int, to requests: RequestWriter<RawMessage>) async throws {
    let message: [UInt8]
    do {
      message = try wire(object)
    } catch {
      let path = "message \(number)" + (error.path.isEmpty ? "" : ", \(error.path)")
      throw JSONError(reason: error.reason, path: path, offset: error.offset)
    }
    try await requests.write(RawMessage(message))
  }
}
