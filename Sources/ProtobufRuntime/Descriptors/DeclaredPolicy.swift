/// What a proto declares about a method with `(octet.options.v1.policy)`, read from the custom options.
public struct DeclaredPolicy: Sendable, Equatable {
  /// Who may call the method, with the numbers of options.proto.
  public enum Access: Int32, Sendable {
    case unspecified = 0
    case `public` = 1
    case user = 2
    case owner = 3
    case role = 4
  }

  /// What a call costs, with the numbers of options.proto.
  public enum RateClass: Int32, Sendable {
    case unspecified = 0
    case standard = 1
    case expensive = 2
    case telemetry = 3
  }

  /// What is given up first, with the numbers of options.proto.
  public enum Priority: Int32, Sendable {
    case unspecified = 0
    case low = 1
    case normal = 2
    case high = 3
    case critical = 4
  }

  public var access = Access.unspecified
  public var roles: [String] = []
  public var mutates = false
  public var defaultDeadline: Duration?
  public var longestDeadline: Duration?
  public var rateClass = RateClass.unspecified
  public var priority = Priority.unspecified
  /// 0 for no bound; likewise below.
  public var maxConcurrentCalls: UInt32 = 0
  public var maxConcurrentCallsPerCaller: UInt32 = 0
  public var maxMessageBytes: UInt32 = 0
  public var posts = false
  /// The request's field with the resource on which one of `roles` must be held; empty for none.
  public var resourceField = ""
  public var keepsRequestIDs = false

  public init() {}
}

/// What a proto declares about a field with `(octet.options.v1.rules)`, read from the custom options. The comments
/// in options.proto say what each rule means.
public struct DeclaredRules: Sendable, Equatable {
  public var isRequired = false
  public var minLength: UInt32 = 0
  public var maxLength: UInt32 = 0
  public var minimum: Double?
  public var maximum: Double?
  public var minItems: UInt32 = 0
  public var maxItems: UInt32 = 0
  public var format = ""
  public var idKind = ""
  public var isSecret = false
  public var allowsUnspecified = false

  public init() {}
}

extension MethodDefinition {
  /// The declared policy; nil if there is none.
  /// - Throws: if the option is malformed.
  public func declaredPolicy() throws(DecodeError) -> DeclaredPolicy? {
    guard let readers = try octetOption(in: customOptions) else { return nil }
    var policy = DeclaredPolicy()
    for var reader in readers {
      while let tag = try reader.tag() {
        switch (tag.number, tag.type) {
        case (1, .varint):
          policy.access = .init(rawValue: Int32(truncatingIfNeeded: try reader.varint())) ?? .unspecified
        case (2, .lengthDelimited): policy.roles.append(try reader.lengthDelimited().text(field: "roles"))
        case (3, .varint): policy.mutates = try reader.varint() != 0
        case (4, .lengthDelimited): policy.defaultDeadline = try duration(try reader.lengthDelimited())
        case (5, .lengthDelimited): policy.longestDeadline = try duration(try reader.lengthDelimited())
        case (6, .varint):
          policy.rateClass = .init(rawValue: Int32(truncatingIfNeeded: try reader.varint())) ?? .unspecified
        case (7, .varint):
          policy.priority = .init(rawValue: Int32(truncatingIfNeeded: try reader.varint())) ?? .unspecified
        case (8, .varint): policy.maxConcurrentCalls = UInt32(truncatingIfNeeded: try reader.varint())
        case (9, .varint): policy.maxConcurrentCallsPerCaller = UInt32(truncatingIfNeeded: try reader.varint())
        case (10, .varint): policy.maxMessageBytes = UInt32(truncatingIfNeeded: try reader.varint())
        case (11, .varint): policy.posts = try reader.varint() != 0
        case (12, .lengthDelimited): policy.resourceField = try reader.lengthDelimited().text(field: "resource_field")
        case (13, .varint): policy.keepsRequestIDs = try reader.varint() != 0
        default: try reader.skip(tag)
        }
      }
    }
    return policy
  }
}

extension FieldDescriptor {
  /// The declared rules; nil if there are none.
  /// - Throws: if the option is malformed.
  public func declaredRules() throws(DecodeError) -> DeclaredRules? {
    guard let readers = try octetOption(in: customOptions) else { return nil }
    var rules = DeclaredRules()
    for var reader in readers {
      while let tag = try reader.tag() {
        switch (tag.number, tag.type) {
        case (1, .varint): rules.isRequired = try reader.varint() != 0
        case (2, .varint): rules.minLength = UInt32(truncatingIfNeeded: try reader.varint())
        case (3, .varint): rules.maxLength = UInt32(truncatingIfNeeded: try reader.varint())
        case (4, .fixed64): rules.minimum = Double(bitPattern: try reader.fixed64())
        case (5, .fixed64): rules.maximum = Double(bitPattern: try reader.fixed64())
        case (6, .varint): rules.minItems = UInt32(truncatingIfNeeded: try reader.varint())
        case (7, .varint): rules.maxItems = UInt32(truncatingIfNeeded: try reader.varint())
        case (8, .lengthDelimited): rules.format = try reader.lengthDelimited().text(field: "format")
        case (9, .lengthDelimited): rules.idKind = try reader.lengthDelimited().text(field: "id_kind")
        case (10, .varint): rules.isSecret = try reader.varint() != 0
        case (11, .varint): rules.allowsUnspecified = try reader.varint() != 0
        default: try reader.skip(tag)
        }
      }
    }
    return rules
  }
}

/// `policy` and `rules` share the number: they extend different messages.
private let octetOptionNumber: Int32 = 50001

/// The values of Octet's option. protoc may write one option in several parts, which are merged in order.
private func octetOption(in options: [UInt8]) throws(DecodeError) -> [WireReader]? {
  var reader = WireReader(options)
  var found: [WireReader] = []
  while let tag = try reader.tag() {
    if tag == WireTag(number: octetOptionNumber, type: .lengthDelimited) {
      found.append(try reader.lengthDelimited())
    } else {
      try reader.skip(tag)
    }
  }
  return found.isEmpty ? nil : found
}

/// A google.protobuf.Duration.
private func duration(_ message: WireReader) throws(DecodeError) -> Duration {
  var reader = message
  var result = Duration.zero
  while let tag = try reader.tag() {
    switch (tag.number, tag.type) {
    case (1, .varint): result += .seconds(Int64(bitPattern: try reader.varint()))
    case (2, .varint): result += .nanoseconds(Int64(Int32(truncatingIfNeeded: try reader.varint())))
    default: try reader.skip(tag)
    }
  }
  return result
}
