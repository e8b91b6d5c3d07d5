/// Why JSON is not the message that it should be, or why a message has no JSON form.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Reason: Equatable, Sendable {
    /// Not JSON at all: an unexpected character, an unfinished text, a lone surrogate.
    case syntax(String)
    /// JSON, but not what the field takes: another type, out of range, a duplicate, two members of a oneof.
    case value(String)
    /// An object has a key that the message has no field for.
    case unknownField(String)
    /// An Any, or the caller, names a message that the pool does not have.
    case unknownType(String)
    /// Values nest deeper than the limit.
    case tooDeep
    /// There are more values and keys than the limit.
    case tooMany
    /// A long text is nested so deeply that copying it from level to level costs too much.
    case tooCostly
    /// The wire form is malformed.
    case wire(DecodeError)
  }

  public var reason: Reason
  /// Where in the JSON: `stops[1].place.latitude`; empty at the root.
  public var path: String
  /// The octet of the JSON text that was being read, from 0; nil when JSON was being written.
  public var offset: Int?

  public init(reason: Reason, path: String, offset: Int? = nil) {
    self.reason = reason
    self.path = path
    self.offset = offset
  }

  public var description: String {
    let what =
      switch reason {
      case .syntax(let text), .value(let text): text
      case .unknownField(let name): "there is no field \"\(name)\""
      case .unknownType(let name): "the message type \(name) is not known"
      case .tooDeep: "nested too deeply"
      case .tooMany: "too many values"
      case .tooCostly: "too long for its depth"
      case .wire(.invalidUTF8(let field)): "the text of \(field) is not UTF-8"
      case .wire: "the message is malformed"
      }
    let place = path.isEmpty ? "" : "\(path): "
    return place + what + (offset.map { " (at octet \($0))" } ?? "")
  }
}

/// Where the codec is, for its errors. Steps are taken back only after success, so that an error finds the path to
/// where it arose.
struct JSONPath {
  private enum Step {
    case key(String)
    case index(Int)
  }

  private var steps: [Step] = []

  mutating func enter(_ key: String) { steps.append(.key(key)) }
  mutating func enter(_ index: Int) { steps.append(.index(index)) }
  mutating func leave() { steps.removeLast() }

  var text: String {
    steps.reduce(into: "") { text, step in
      switch step {
      case .key(let key): text += text.isEmpty ? key : ".\(key)"
      case .index(let index): text += "[\(index)]"
      }
    }
  }
}
