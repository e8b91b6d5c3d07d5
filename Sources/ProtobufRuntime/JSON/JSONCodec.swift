/// proto3 JSON, driven by descriptors: between the wire form of any message in a pool and its JSON form.
///
/// ```swift
/// let codec = JSONCodec(pool)
/// let json = try codec.json(fromWire: ride.encoded(), type: "octet.rides.v1.Ride")
/// let wire = try codec.wire(fromJSON: json, type: "octet.rides.v1.Ride")
/// ```
///
/// A value, safe to share between threads. Follows https://protobuf.dev/programming-guides/json/.
public struct JSONCodec: Sendable {
  /// The descriptors that drive the codec.
  public let pool: DescriptorPool
  /// Greatest nesting of messages, arrays and objects.
  public let depthLimit: Int
  /// The most values and keys that are read of one text. Each takes some hundred nanoseconds, however short it is.
  public let valueLimit: Int

  public init(_ pool: DescriptorPool, depthLimit: Int = DecodeLimits.default.depth, valueLimit: Int = .max) {
    self.pool = pool
    self.depthLimit = depthLimit
    self.valueLimit = valueLimit
  }

  /// The JSON form, in UTF-8, of a message of the type with the full name `type`.
  ///
  /// Unknown fields are left out. Fields come in the order of the proto.
  /// - Throws: for malformed wire bytes and for values without a JSON form, such as a Timestamp in the year 10000.
  public func json(
    fromWire bytes: [UInt8], type: String, options: JSONWriteOptions = JSONWriteOptions()
  ) throws(JSONError) -> [UInt8] {
    guard let message = pool.message(type) else { throw JSONError(reason: .unknownType(type), path: "") }
    var printer = JSONPrinter(pool: pool, options: options, depthLimit: depthLimit)
    do {
      try printer.message(message, WireReader(bytes), depth: 1)
    } catch {
      throw JSONError(reason: Self.reason(error), path: printer.path.text)
    }
    return printer.output.bytes
  }

  /// The wire form of the message, of the type with the full name `type`, that `json` stands for.
  ///
  /// Fields come in the order of the JSON; zero values of fields without presence are left out.
  public func wire(
    fromJSON json: [UInt8], type: String, options: JSONReadOptions = JSONReadOptions()
  ) throws(JSONError) -> [UInt8] {
    guard let message = pool.message(type) else { throw JSONError(reason: .unknownType(type), path: "") }
    var parser = JSONParser(
      json, pool: pool, options: options, depthLimit: depthLimit, valueLimit: valueLimit)
    do {
      let wire = try parser.message(message, depth: 1)
      try parser.lexer.expect(.end)
      return wire
    } catch {
      throw JSONError(reason: Self.reason(error), path: parser.path.text, offset: parser.lexer.tokenStart)
    }
  }

  private static func reason(_ error: any Error) -> JSONError.Reason {
    switch error {
    case let reason as JSONFailure: reason.reason
    case let error as DecodeError: error == .tooDeep ? .tooDeep : .wire(error)
    default: preconditionFailure("the codec threw \(error)")
    }
  }
}

/// What the codec throws inside; the codec adds the path and the position.
struct JSONFailure: Error {
  var reason: JSONError.Reason

  init(_ reason: JSONError.Reason) { self.reason = reason }

  static func value(_ text: String) -> JSONFailure { JSONFailure(.value(text)) }
  static func syntax(_ text: String) -> JSONFailure { JSONFailure(.syntax(text)) }
}
