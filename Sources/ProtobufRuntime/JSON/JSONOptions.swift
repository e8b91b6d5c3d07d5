/// How messages become JSON.
public struct JSONWriteOptions: Sendable {
  /// On several lines, indented by two blanks.
  public var isPretty = false
  /// Also the zero values of fields without presence, and empty lists and maps.
  public var writesZeroValues = false
  /// `request_id` instead of `requestId`.
  public var usesProtoNames = false
  /// Enum values as numbers instead of names.
  public var writesEnumsAsNumbers = false

  public init() {}
}

/// How JSON becomes messages.
public struct JSONReadOptions: Sendable {
  /// Passes over keys and enum names that the message does not know instead of refusing them.
  public var ignoresUnknownFields = false

  public init() {}
}
