import Base
import ProtobufRuntime

/// How the text of a flag becomes the JSON of a field.
enum FlagValue {
  private static let latLng = "octet.type.v1.LatLng"
  private static let money = "octet.type.v1.Money"
  private static let date = "octet.type.v1.Date"
  private static let timestamp = "google.protobuf.Timestamp"
  private static let duration = "google.protobuf.Duration"
  private static let scalarMessages: Set<String> = [
    "google.protobuf.FieldMask",
    "google.protobuf.StringValue", "google.protobuf.BytesValue", "google.protobuf.DoubleValue",
    "google.protobuf.FloatValue", "google.protobuf.Int32Value", "google.protobuf.Int64Value",
    "google.protobuf.UInt32Value", "google.protobuf.UInt64Value",
  ]

  /// Whether messages of the type are written as a short text rather than as JSON.
  static func hasText(_ type: String) -> Bool {
    [latLng, money, date].contains(type) || type.hasPrefix("google.protobuf.")
  }

  /// Whether a message says all by being there.
  private static func isEmpty(_ type: MessageDescriptor) -> Bool { type.fields.isEmpty && !hasText(type.fullName) }

  /// What stands for the value in help texts; nil for a switch.
  static func placeholder(_ field: FieldDescriptor, _ pool: DescriptorPool) -> String? {
    if field.isMap { return "KEY=VALUE" }
    switch field.type {
    case .bool: return field.isRepeated ? "BOOL" : nil
    case .message, .group:
      switch field.typeName {
      case latLng: return "LATITUDE,LONGITUDE"
      case money: return "'AMOUNT CURRENCY'"
      case date: return "YYYY-MM-DD"
      case timestamp: return "TIME"
      case duration: return "SPAN"
      default:
        guard let type = pool.messageType(of: field), !hasText(type.fullName) else { return "JSON" }
        if isEmpty(type) { return field.isRepeated ? "JSON" : nil }
        return "FIELD=VALUE,..."
      }
    case .enum, .string: return field.name.uppercased()
    case .bytes: return "BASE64|@FILE"
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
      return try message(field, text, pool)
    case .bytes where text.first == "@":
      return .string(Base64.standard.encode(try InputFile.small(path: String(text.dropFirst()))))
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

  private static func message(
    _ field: FieldDescriptor, _ text: String, _ pool: DescriptorPool
  ) throws(UsageError) -> JSONText {
    if text.first == "{" || text.first == "[" { return .raw(text) }
    let type = field.typeName ?? ""
    if scalarMessages.contains(type) { return .string(text) }
    switch type {
    case latLng:
      let parts = text.split(separator: ",").map { $0.filter { $0 != " " } }
      guard parts.count == 2, Double(parts[0]) != nil, Double(parts[1]) != nil else {
        throw UsageError("\(text) is no place such as 48.2082,16.3738")
      }
      return .object([("latitude", .string(parts[0])), ("longitude", .string(parts[1]))])
    case money:
      let (minorUnits, currency) = try HumanValue.money(text)
      return .object([("currencyCode", .string(currency)), ("minorUnits", .string(minorUnits))])
    case date:
      guard let date = HumanValue.date(text) else { throw UsageError("\(text) is no date such as 2026-01-31") }
      return .object(zip(["year", "month", "day"], [date.year, date.month, date.day]).map { ($0, .raw(String($1))) })
    case timestamp: return .string(try HumanValue.instant(text, now: SystemClock().now()))
    case duration: return .string(try HumanValue.duration(text))
    case "google.protobuf.BoolValue", "google.protobuf.Value":
      return .raw(text)
    default:
      guard let descriptor = pool.messageType(of: field) else { throw UsageError("JSON is needed, not \(text)") }
      if isEmpty(descriptor), text == "true" { return .object([]) }
      return try fields(of: descriptor, text, pool)
    }
  }

  /// `kind=passport,upload_id=upl_…`: a comma that no field's name follows belongs to the value before it.
  private static func fields(
    of type: MessageDescriptor, _ text: String, _ pool: DescriptorPool
  ) throws(UsageError) -> JSONText {
    var given: [(field: FieldDescriptor, texts: [String])] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = Naming.kebab(String(sides[0]))
      if sides.count == 2, let field = type.fields.first(where: { Naming.kebab($0.name) == name }) {
        let index = given.firstIndex { $0.field.number == field.number } ?? given.count
        if index == given.count { given.append((field, [])) }
        given[index].texts.append(String(sides[1]))
      } else if let last = given.indices.last, let text = given[last].texts.popLast() {
        given[last].texts.append(text + "," + part)
      } else {
        throw UsageError("\(part) is not FIELD=VALUE with a field of \(type.name)")
      }
    }
    var members: [(String, JSONText)] = []
    for (field, texts) in given {
      guard field.isRepeated || texts.count == 1 else { throw UsageError("\(field.name) is given twice") }
      members.append((field.name, try json(field, texts, pool)))
    }
    return .object(members)
  }
}
