import ProtobufRuntime

/// Shows descriptors in the language of protos.
struct ProtoText {
  private let pool: DescriptorPool

  init(_ pool: DescriptorPool) {
    self.pool = pool
  }

  func service(_ service: ServiceDescriptor) -> String {
    let methods = service.methods.map { indented(method($0)) }.joined(separator: "\n\n")
    return comment(service.comment) + "service \(service.fullName) {\n\(methods)\n}"
  }

  func method(_ method: MethodDefinition) -> String {
    let input = (method.isClientStreaming ? "stream " : "") + method.inputType
    let output = (method.isServerStreaming ? "stream " : "") + method.outputType
    var text = comment(method.comment) + "rpc \(method.name)(\(input)) returns (\(output))"
    var options: [String] = []
    if method.isDeprecated { options.append("option deprecated = true;") }
    // Other projects may use the number of Octet's option for something else: then it is not shown.
    if let policy = try? method.declaredPolicy() {
      options.append("option (octet.options.v1.policy) = {\(policyText(policy))};")
    }
    text += options.isEmpty ? ";" : " {\n" + options.map { "  \($0)\n" }.joined() + "}"
    return text
  }

  func message(_ message: MessageDescriptor) -> String {
    comment(message.comment) + "message \(message.fullName) {\n" + body(message) + "}"
  }

  func enumeration(_ value: EnumDescriptor) -> String {
    enumeration(value, name: value.fullName)
  }

  func extending(_ field: FieldDescriptor) -> String {
    "extend \(field.extendee ?? "") {\n" + indented(self.field(field)) + "\n}"
  }

  // MARK: Parts

  private func body(_ message: MessageDescriptor) -> String {
    var parts: [String] = []
    var shownOneofs: Set<Int> = []
    for field in message.fields {
      guard let index = field.realOneofIndex else {
        parts.append(self.field(field, in: message))
        continue
      }
      guard shownOneofs.insert(index).inserted else { continue }
      let oneof = message.oneofs[index]
      let members = message.fields.filter { $0.realOneofIndex == index }.map { indented(self.field($0)) + "\n" }
      parts.append(comment(oneof.comment) + "oneof \(oneof.name) {\n" + members.joined() + "}")
    }
    for nested in message.nestedMessages where !nested.isMapEntry {
      parts.append(comment(nested.comment) + "message \(nested.name) {\n" + body(nested) + "}")
    }
    for nested in message.nestedEnums { parts.append(enumeration(nested, name: nested.name)) }
    return parts.map { indented($0) + "\n" }.joined()
  }

  private func enumeration(_ value: EnumDescriptor, name: String) -> String {
    let values = value.values.map { value in
      comment(value.comment) + "\(value.name) = \(value.number)" + (value.isDeprecated ? " [deprecated = true];" : ";")
    }
    let aliases = value.allowsAliases ? "  option allow_alias = true;\n" : ""
    return comment(value.comment) + "enum \(name) {\n" + aliases + values.map { indented($0) + "\n" }.joined() + "}"
  }

  private func field(_ field: FieldDescriptor, in message: MessageDescriptor? = nil) -> String {
    var label =
      switch field.label {
      case .repeated: "repeated "
      case .required: "required "
      case .optional: field.isProto3Optional ? "optional " : ""
      }
    var type = field.typeName ?? field.type.keyword
    if let entry = message?.mapEntry(of: field), let key = entry.field(numbered: 1),
      let value = entry.field(numbered: 2)
    {
      label = ""
      type = "map<\(key.type.keyword), \(value.typeName ?? value.type.keyword)>"
    }
    var options: [String] = []
    if field.isDeprecated { options.append("deprecated = true") }
    if let value = field.defaultValue { options.append("default = \(value)") }
    if let rules = try? field.declaredRules() {
      options.append("(octet.options.v1.rules) = {\(rulesText(rules))}")
    }
    let suffix = options.isEmpty ? ";" : " [\(options.joined(separator: ", "))];"
    return comment(field.comment) + "\(label)\(type) \(field.name) = \(field.number)\(suffix)"
  }

  private func policyText(_ policy: DeclaredPolicy) -> String {
    var parts = ["access: ACCESS_\(String(describing: policy.access).uppercased())"]
    parts += policy.roles.map { "roles: \"\($0)\"" }
    if !policy.resourceField.isEmpty { parts.append("resource_field: \"\(policy.resourceField)\"") }
    if policy.mutates { parts.append("mutates: true") }
    if let deadline = policy.defaultDeadline { parts.append("default_deadline: \(deadline)") }
    if let deadline = policy.longestDeadline { parts.append("longest_deadline: \(deadline)") }
    if policy.rateClass != .unspecified {
      parts.append("rate_class: RATE_CLASS_\(String(describing: policy.rateClass).uppercased())")
    }
    return parts.joined(separator: ", ")
  }

  private func rulesText(_ rules: DeclaredRules) -> String {
    var parts: [String] = []
    if rules.isRequired { parts.append("required: true") }
    if rules.minLength > 0 { parts.append("min_length: \(rules.minLength)") }
    if rules.maxLength > 0 { parts.append("max_length: \(rules.maxLength)") }
    if let bound = rules.minimum { parts.append("minimum: \(bound)") }
    if let bound = rules.maximum { parts.append("maximum: \(bound)") }
    if rules.minItems > 0 { parts.append("min_items: \(rules.minItems)") }
    if rules.maxItems > 0 { parts.append("max_items: \(rules.maxItems)") }
    if !rules.format.isEmpty { parts.append("format: \"\(rules.format)\"") }
    if !rules.idKind.isEmpty { parts.append("id_kind: \"\(rules.idKind)\"") }
    if rules.isSecret { parts.append("secret: true") }
    if rules.allowsUnspecified { parts.append("allow_unspecified: true") }
    return parts.joined(separator: ", ")
  }

  private func comment(_ text: String) -> String {
    text.isEmpty
      ? ""
      : text.split(separator: "\n", omittingEmptySubsequences: false).map { ("// " + $0).trimmingEnd + "\n" }.joined()
  }

  private func indented(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : "  " + $0 }
      .joined(separator: "\n")
  }
}
