/// What every generated message is: a plain value with a codec through protobuf-c.
public protocol Message: Sendable, Equatable, CustomDebugStringConvertible {
  /// The full name in the protos, such as `octet.rides.v1.Ride`.
  static var fullName: String { get }

  /// All fields absent.
  init()

  /// Decodes the wire form.
  /// - Throws: `DecodeError` for malformed, too deep or too expensive input and for invalid UTF-8.
  init(decoding bytes: RawSpan, limits: DecodeLimits) throws(DecodeError)

  /// The wire form, preceded by `headroom` zero bytes that the caller fills in (a length prefix, say).
  /// Deterministic: map entries are sorted by key, fields by number, unknown fields come last.
  func encoded(headroom: Int) -> [UInt8]

  /// Collects what breaks the rules declared in the proto.
  func validate(into violations: inout Violations)
}

extension Message {
  public init(decoding bytes: [UInt8], limits: DecodeLimits = .default) throws(DecodeError) {
    try self.init(decoding: bytes.span.bytes, limits: limits)
  }

  public func encoded() -> [UInt8] {
    encoded(headroom: 0)
  }

  /// What breaks the rules declared in the proto; empty for a valid message.
  public func violations() -> [FieldViolation] {
    var violations = Violations()
    validate(into: &violations)
    return violations.found
  }
}

/// A request that names what it is about.
public protocol NamingRequest: Message {
  /// The printed id of what the request is about: of its first field that is declared to be an id, or is called one. Empty
  /// if there is no such field, or nothing in it.
  var actedOnID: String { get }
}

/// The request of a mutating method: it carries the UUID under which the effect happens once.
public protocol MutatingRequest: NamingRequest {
  /// The client's UUID for this request; empty if it sent none.
  var requestID: String { get }
}

extension MutatingRequest {
  public var actedOnID: String { "" }
}

/// A request for one page of a list.
public protocol PagedRequest: Message {
  /// How many items the page may have; 0 leaves it to the server.
  var pageSize: Int32 { get set }
  /// Where the page begins, as the page before has said; empty for the first one.
  var pageToken: String { get set }
}

/// Why bytes are not a message.
public enum DecodeError: Error, Equatable {
  case malformed
  case tooDeep
  /// Decoding would take more memory than `DecodeLimits.memory`.
  case overBudget
  /// There is more in it than `DecodeLimits.elements`.
  case tooMany
  case invalidUTF8(field: String)
}
