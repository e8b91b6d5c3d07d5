import ProtobufRuntime

/// How the text of a flag becomes the JSON of a field.
enum FlagValue {
  private static let latLng = "octet.type.v1.LatLng"
  private static let money = "octet.type.v1.Money"
  private static let date = "octet.type.v1.Date"
  private static let scalarMessages: Set<String> = [
    "google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask",
    "google.protobuf.StringValue", "google.protobuf.BytesValue", "google.protobuf.DoubleValue",
    "google.protobuf.FloatValue", "google.protobuf.Int32Value", "google.protobuf.Int64Value",
    "google.protobuf.UInt32Value", "google.protobuf.UInt64Value",
  ]

  /// Whether messages of the type are written as a short text rather than as JSON.
  static func hasText(_ type: String) -> Bool {
    [latLng, money, date].contains(type) || type.hasPrefix("google.protobuf.")
  }

  /// What stands for the value in help texts; nil for a switch.
  static func placeholder(_ field: FieldDescriptor, _ pool: DescriptorPool) -> String? {
    if field.isMap { return "KEY=VALUE" }
    switch field.type {
    case .bool: return field.isRepeated ? "BOOL" : nil
    case .message, .group:
      switch field.typeName {
      case latLng: return "LATITUDE,LONGITUDE"
      case money: return "MINOR-UNITS CURRENCY"
      case date: return "YYYY-MM-DD"
      case "google.protobuf.Timestamp": return "TIME"
      case "google.protobuf.Duration": return "SECONDSs"
      default: return "JSON"
      }
    case .enum, .string: return Naming.kebab(field.name).split(separator: "-").joined(separator: "_").uppercased()
    case .bytes: return "BASE64"
    default: return "NUMBER"
    }
  }

  /// The JSON of a field that is given as `texts`: one, or several for a repeated field.
  static func json(_ field: FieldDescriptor, _ texts: [String], _ pool: DescriptorPool) throws(UsageError) -> JSONText {
    if field.isMap, let entry = pool.messageType(of: field), let value = entry.field(numbered: 2) {
      var members: [(String, JSONText)] = []
      for text in texts {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw UsageError("\(text) is not KEY=VALUE") }
        members.append((String(parts[0]), try json(value, text: String(parts[1]), pool)))
      }
      return .object(members)
    }
    if field.isRepeated {
      var items: [JSONText] = []
      for text in texts { items.append(try json(field, text: text, pool)) }
      return .array(items)
    }
    return try json(field, text: texts[texts.count - 1], pool)
  }

  private static func json(
    _ field: FieldDescriptor, text: String, _ pool: DescriptorPool
  ) throws(UsageError) -> JSONText {
    switch field.type {
    case .bool:
      guard ["true", "false"].contains(text) else { throw UsageError("\(text) is neither true nor false") }
      return .raw(text)
    case .enum:
      guard let type = pool.enumType(of: field) else { return .string(text) }
      return try enumeration(type, text)
    case .message, .group:
      return try message(field.typeName ?? "", text)
    default:
      // The codec reads numbers from strings as well, and says what is wrong with them.
      return .string(text)
    }
  }

  // MARK: Enums

  /// A value's name without what all names of its enum begin with: `cash` of PAYMENT_METHOD_CASH.
  static func shortName(_ name: String, of type: EnumDescriptor) -> String {
    let prefix = Naming.kebab(type.name) + "-"
    let kebab = Naming.kebab(name.lowercased())
    return kebab.hasPrefix(prefix) ? String(kebab.dropFirst(prefix.count)) : kebab
  }

  private static func enumeration(_ type: EnumDescriptor, _ text: String) throws(UsageError) -> JSONText {
    if Int32(text) != nil { return .raw(text) }
    let wanted = Naming.kebab(text.lowercased())
    let match = type.values.first {
      $0.name == text || Naming.kebab($0.name.lowercased()) == wanted || shortName($0.name, of: type) == wanted
    }
    guard let match else {
      let names = type.values.map { shortName($0.name, of: type) }.joined(separator: ", ")
      throw UsageError("\(text) is none of \(names)")
    }
    return .string(match.name)
  }

  // MARK: Messages

  private static func message(_ type: String, _ text: String) throws(UsageError) -> JSONText {
    if text.first == "{" || text.first == "[" { return .raw(text) }
    if scalarMessages.contains(type) { return .string(text) }
    switch type {
    case latLng:
      let parts = text.split(separator: ",").map { $0.filter { $0 != " " } }
      guard parts.count == 2, Double(parts[0]) != nil, Double(parts[1]) != nil else {
        throw UsageError("\(text) is no place such as 48.2082,16.3738")
      }
      return .object([("latitude", .string(parts[0])), ("longitude", .string(parts[1]))])
    case money:
      let parts = text.split(separator: " ")
      guard parts.count == 2, Int64(parts[0]) != nil else {
        throw UsageError("\(text) is no amount in minor units such as '1250 EUR' for 12.50 €")
      }
      return .object([("currencyCode", .string(String(parts[1]))), ("minorUnits", .string(String(parts[0])))])
    case date:
      let parts = text.split(separator: "-").compactMap { UInt16($0) }
      guard parts.count == 3 else { throw UsageError("\(text) is no date such as 2026-01-31") }
      return .object(zip(["year", "month", "day"], parts).map { ($0, .raw(String($1))) })
    case "google.protobuf.BoolValue", "google.protobuf.Value":
      return .raw(text)
    default:
      throw UsageError("JSON of a \(type) is needed, not \(text)")
    }
  }
}
