/// What generated `validate(into:)` functions call, one line a field.
extension Violations {
  /// A field that must be present and not zero.
  public mutating func required(_ name: StaticString, _ isPresent: Bool) {
    if !isPresent { add(name, "is required") }
  }

  // MARK: Texts and bytes

  /// A string field.
  public mutating func text(_ name: StaticString, _ value: String, _ rules: TextRules) {
    if let problem = rules.problem(with: value) { add(name, problem.description, reason: problem.reason) }
  }

  /// A repeated string field.
  public mutating func texts(_ name: StaticString, _ values: [String], _ rules: TextRules) {
    for (index, value) in values.enumerated() {
      guard let problem = rules.problem(with: value) else { continue }
      descend(name) { $0.descend(index: index) { $0.add(problem.description, reason: problem.reason) } }
    }
  }

  /// The values of a map field.
  public mutating func texts<Key>(_ name: StaticString, _ values: [Key: String], _ rules: TextRules) {
    for (key, value) in values {
      guard let problem = rules.problem(with: value) else { continue }
      descend(name) { $0.descend(key: "\(key)") { $0.add(problem.description, reason: problem.reason) } }
    }
  }

  /// A bytes field; lengths in bytes.
  public mutating func bytes(_ name: StaticString, _ value: [UInt8], min: Int = 0, max: Int) {
    if value.count > max {
      add(name, "must not be longer than \(max) bytes")
    } else if value.count < min, !value.isEmpty {
      add(name, "must have at least \(min) bytes")
    }
  }

  /// A repeated bytes field, or the values of a map field.
  public mutating func bytes(_ name: StaticString, each values: some Sequence<[UInt8]>, min: Int = 0, max: Int) {
    for (index, value) in values.enumerated() where value.count > max || value.count < min && !value.isEmpty {
      descend(name) { $0.descend(index: index) { $0.add("must have \(min) to \(max) bytes") } }
    }
  }

  // MARK: Numbers

  /// A number with inclusive bounds. NaN is refused.
  public mutating func number(_ name: StaticString, _ value: Double, min: Double? = nil, max: Double? = nil) {
    if let problem = Self.problem(with: value, min, max) { add(name, problem) }
  }

  /// A repeated number, or the values of a map field.
  public mutating func numbers(
    _ name: StaticString, _ values: some Sequence<Double>, min: Double? = nil, max: Double? = nil
  ) {
    for (index, value) in values.enumerated() {
      guard let problem = Self.problem(with: value, min, max) else { continue }
      descend(name) { $0.descend(index: index) { $0.add(problem) } }
    }
  }

  private static func problem(with value: Double, _ min: Double?, _ max: Double?) -> String? {
    if value.isNaN { return "must be a number" }
    if let min, value < min { return "must be at least \(text(min))" }
    if let max, value > max { return "must be at most \(text(max))" }
    return nil
  }

  /// Bounds are mostly whole: 8 rather than 8.0.
  private static func text(_ bound: Double) -> String {
    Int64(exactly: bound).map { "\($0)" } ?? "\(bound)"
  }

  // MARK: Enums

  /// An enum field.
  public mutating func known(_ name: StaticString, _ value: some ProtobufEnum, allowsUnspecified: Bool) {
    if let problem = Self.problem(with: value, allowsUnspecified) { add(name, problem) }
  }

  /// A repeated enum field, or the values of a map field.
  public mutating func known<Value: ProtobufEnum>(
    _ name: StaticString, each values: some Sequence<Value>, allowsUnspecified: Bool
  ) {
    for (index, value) in values.enumerated() {
      guard let problem = Self.problem(with: value, allowsUnspecified) else { continue }
      descend(name) { $0.descend(index: index) { $0.add(problem) } }
    }
  }

  private static func problem(with value: some ProtobufEnum, _ allowsUnspecified: Bool) -> String? {
    if !value.isRecognized { return "is not a value of the enum" }
    return value.rawValue == 0 && !allowsUnspecified ? "must be specified" : nil
  }

  // MARK: Collections and messages

  /// How many items a repeated or map field has.
  public mutating func count(_ name: StaticString, _ count: Int, min: Int = 0, max: Int) {
    if count > max {
      add(name, "must not have more than \(max) items")
    } else if count < min {
      add(name, "must have at least \(min) items")
    }
  }

  /// A message field, if it is there.
  @inlinable @inline(never)
  public mutating func message<Value: Message>(_ name: StaticString, _ value: Value?) {
    if let value { descend(name) { value.validate(into: &$0) } }
  }

  /// A repeated message field.
  @inlinable @inline(never)
  public mutating func messages<Value: Message>(_ name: StaticString, _ values: [Value]) {
    if values.isEmpty { return }
    descend(name) { violations in
      for (index, value) in values.enumerated() {
        violations.descend(index: index) { value.validate(into: &$0) }
      }
    }
  }

  /// The values of a map field.
  @inlinable @inline(never)
  public mutating func messages<Key, Value: Message>(_ name: StaticString, _ values: [Key: Value]) {
    if values.isEmpty { return }
    descend(name) { violations in
      for (key, value) in values {
        violations.descend(key: "\(key)") { value.validate(into: &$0) }
      }
    }
  }

  // MARK: Well-known types

  /// A google.protobuf.Timestamp: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z.
  public mutating func timestamp(seconds: Int64, nanos: Int32) {
    if !(-62_135_596_800...253_402_300_799).contains(seconds) || !(0...999_999_999).contains(nanos) {
      add("must be a point in time between the years 1 and 9999")
    }
  }

  /// A google.protobuf.Duration: within about ±10,000 years, both parts of the same sign.
  public mutating func duration(seconds: Int64, nanos: Int32) {
    let isInRange =
      (-315_576_000_000...315_576_000_000).contains(seconds) && (-999_999_999...999_999_999).contains(nanos)
    if !isInRange || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0) {
      add("must be a duration within 10,000 years, with seconds and nanos of one sign")
    }
  }
}
