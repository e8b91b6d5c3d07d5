import ProtobufRuntime

/// Writes the checks that the rules in the proto ask for.
struct ValidationWriter {
  /// The limits of options.proto for fields that set none.
  private static let defaultMaxLength: UInt32 = 4096
  private static let defaultMaxItems: UInt32 = 1000

  let model: MessageModel
  /// Whether the proto knows the options, so that their default limits apply.
  let isOptedIn: Bool

  func write(to out: inout SourceText) {
    var checks: [String] = []
    switch model.descriptor.fullName {
    case "google.protobuf.Timestamp": checks = ["violations.timestamp(seconds: self.seconds, nanos: self.nanos)"]
    case "google.protobuf.Duration": checks = ["violations.duration(seconds: self.seconds, nanos: self.nanos)"]
    default:
      for property in model.properties {
        switch property {
        case .field(let field): checks += self.checks(of: field)
        case .oneof(let oneof): checks += self.checks(of: oneof)
        }
      }
    }
    if checks.isEmpty {
      out.line("public func validate(into violations: inout Violations) {}")
    } else {
      out.block("public func validate(into violations: inout Violations)") { out in
        for check in checks { out.line(check) }
      }
    }
  }

  private func checks(of field: FieldModel) -> [String] {
    let value = "self.\(field.name)"
    let name = "\"\(field.descriptor.name)\""
    let type = field.descriptor.type
    var result: [String] = []
    switch field.shape {
    case .plain:
      let refusesZero = type == .enum && !field.rules.allowsUnspecified
      if field.rules.isRequired, !refusesZero {
        result.append("violations.required(\(name), \(isNotZero(type, value)))")
      }
      if let check = check(type, field.rules, name, value) { result.append(check) }
    case .optional:
      if field.rules.isRequired { result.append("violations.required(\(name), \(value) != nil)") }
      if let check = check(type, field.rules, name, "value") {
        result.append("if let value = \(value) { \(check) }")
      }
    case .message, .boxed:
      if field.rules.isRequired { result.append("violations.required(\(name), \(value) != nil)") }
      result.append("violations.message(\(name), \(value))")
    case .repeated:
      result += countChecks(field, name, value)
      if let check = checkEach(type, field.rules, name, value, values: value) { result.append(check) }
    case .map(_, let valueField):
      result += countChecks(field, name, value)
      if let check = checkEach(valueField.type, field.rules, name, value, values: "\(value).values") {
        result.append(check)
      }
    }
    return result
  }

  private func checks(of oneof: MessageModel.Oneof) -> [String] {
    let checked = oneof.members.compactMap { member -> (FieldModel, String)? in
      let name = "\"\(member.descriptor.name)\""
      if let check = check(member.descriptor.type, member.rules, name, "value") { return (member, check) }
      return nil
    }
    if checked.isEmpty { return [] }
    let cases = checked.map { "case .\($0.name)(let value)?: \($1)" }
    let rest = checked.count < oneof.members.count ? "default: break" : "case nil: break"
    return ["switch self.\(oneof.name) {"] + cases + [rest, "}"]
  }

  private func countChecks(_ field: FieldModel, _ name: String, _ value: String) -> [String] {
    guard isOptedIn else { return [] }
    let rules = field.rules
    let min = max(rules.minItems, rules.isRequired ? 1 : 0)
    let maxItems = rules.maxItems == 0 ? Self.defaultMaxItems : rules.maxItems
    return ["violations.count(\(name), \(value).count, min: \(min), max: \(maxItems))"]
  }

  /// The check of one value.
  private func check(_ type: FieldType, _ rules: DeclaredRules, _ name: String, _ value: String) -> String? {
    if type == .message { return "violations.message(\(name), \(value))" }
    guard isOptedIn else { return nil }
    switch type {
    case .string: return "violations.text(\(name), \(value), \(textRules(rules)))"
    case .bytes: return "violations.bytes(\(name), \(value), \(byteRules(rules)))"
    case .enum: return "violations.known(\(name), \(value), allowsUnspecified: \(rules.allowsUnspecified))"
    case .bool: return nil
    default: return bounds(rules).map { "violations.number(\(name), Double(\(value)), \($0))" }
    }
  }

  /// The check of all values of a repeated or map field.
  private func checkEach(
    _ type: FieldType, _ rules: DeclaredRules, _ name: String, _ collection: String, values: String
  ) -> String? {
    if type == .message { return "violations.messages(\(name), \(collection))" }
    guard isOptedIn else { return nil }
    switch type {
    case .string: return "violations.texts(\(name), \(collection), \(textRules(rules)))"
    case .bytes: return "violations.bytes(\(name), each: \(values), \(byteRules(rules)))"
    case .enum: return "violations.known(\(name), each: \(values), allowsUnspecified: \(rules.allowsUnspecified))"
    case .bool: return nil
    default: return bounds(rules).map { "violations.numbers(\(name), \(values).map { Double($0) }, \($0))" }
    }
  }

  private func textRules(_ rules: DeclaredRules) -> String {
    var parts: [String] = []
    if rules.minLength > 0 { parts.append("min: \(rules.minLength)") }
    parts.append("max: \(rules.maxLength == 0 ? Self.defaultMaxLength : rules.maxLength)")
    if !rules.format.isEmpty { parts.append("format: .\(rules.format)") }
    if !rules.idKind.isEmpty { parts.append("idKind: \"\(rules.idKind)\"") }
    return "TextRules(\(parts.joined(separator: ", ")))"
  }

  private func byteRules(_ rules: DeclaredRules) -> String {
    "min: \(rules.minLength), max: \(rules.maxLength == 0 ? Self.defaultMaxLength : rules.maxLength)"
  }

  private func bounds(_ rules: DeclaredRules) -> String? {
    let parts = [rules.minimum.map { "min: \($0)" }, rules.maximum.map { "max: \($0)" }].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  private func isNotZero(_ type: FieldType, _ value: String) -> String {
    switch type {
    case .string, .bytes: "!\(value).isEmpty"
    case .bool: value
    case .enum: "\(value).rawValue != 0"
    default: "\(value) != 0"
    }
  }
}
