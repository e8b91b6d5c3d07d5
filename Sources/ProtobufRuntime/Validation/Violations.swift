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

  /// Whether nothing breaks a rule, as far as was looked.
  public var isEmpty: Bool { found.isEmpty }

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
    descend(name) { $0.add(description, reason: reason) }
  }

  /// Records that what was descended into breaks a rule.
  public mutating func add(_ description: String, reason: String? = nil) {
    guard found.count < DecodeLimits.violations else { return }
    let field = path.reduce(into: "") { text, step in
      switch step {
      case .field(let name): text += text.isEmpty ? "\(name)" : ".\(name)"
      case .index(let index): text += "[\(index)]"
      case .key(let key):
        text += "[\(String(String.UnicodeScalarView(key.unicodeScalars.prefix(DecodeLimits.violationKey))))]"
      }
    }
    found.append(FieldViolation(field: field, description: description, reason: reason))
  }
}
