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

/// One field that breaks a rule of its proto.
public struct FieldViolation: Sendable, Equatable {
  /// The path in proto names: `stops[1].place.latitude`.
  public var field: String
  /// What is wrong, in a sentence that does not repeat the value.
  public var description: String
  /// An error reason such as `WRONG_ID_KIND`; nil for the general one.
  public var reason: String?

  public init(field: String, description: String, reason: String? = nil) {
    self.field = field
    self.description = description
    self.reason = reason
  }
}

/// Collects violations while validation walks a message. The path costs nothing until something is wrong.
public struct Violations: Sendable {
  enum Step: Sendable {
    case field(StaticString)
    case index(Int)
    case key(String)
  }

  /// What was found so far, in the order of the walk.
  public private(set) var found: [FieldViolation] = []
  private var path: [Step] = []

  public init() {}

  /// Validates what lies in the field `name` inside `body`.
  public mutating func descend(_ name: StaticString, _ body: (inout Violations) -> Void) {
    path.append(.field(name))
    body(&self)
    path.removeLast()
  }

  /// Validates the item at `index` of the field that was descended into.
  public mutating func descend(index: Int, _ body: (inout Violations) -> Void) {
    path.append(.index(index))
    body(&self)
    path.removeLast()
  }

  /// Validates the map value under `key` of the field that was descended into.
  public mutating func descend(key: String, _ body: (inout Violations) -> Void) {
    path.append(.key(key))
    body(&self)
    path.removeLast()
  }

  /// Records that the field `name` of the present message breaks a rule.
  public mutating func add(_ name: StaticString, _ description: String, reason: String? = nil) {
    let text = (path + [.field(name)]).reduce(into: "") { text, step in
      switch step {
      case .field(let name): text += text.isEmpty ? "\(name)" : ".\(name)"
      case .index(let index): text += "[\(index)]"
      case .key(let key): text += "[\(key)]"
      }
    }
    found.append(FieldViolation(field: text, description: description, reason: reason))
  }
}

/// How much an input may cost. A peer drives all of these.
public struct DecodeLimits: Sendable {
  /// Greatest nesting of messages; the root is at depth 1.
  public var depth: Int
  /// Greatest memory that protobuf-c may take for one message, in bytes.
  public var memory: Int

  public init(depth: Int = 100, memory: Int = 64 << 20) {
    self.depth = depth
    self.memory = memory
  }

  public static let `default` = DecodeLimits()
}

/// Why bytes are not a message.
public enum DecodeError: Error, Equatable {
  case malformed
  case tooDeep
  case overBudget
  case invalidUTF8(field: String)
}
