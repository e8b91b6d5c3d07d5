import ProtobufRuntime

/// Writes how a message copies itself out of and into protobuf-c's struct.
struct CodecWriter {
  let model: MessageModel

  func write(to out: inout SourceText) {
    let layout = "\(CNaming.lower(model.descriptor.fullName))__layout()"
    out.line("public static var layout: MessageLayout { MessageLayout(\(layout)) }")
    out.line()
    out.block("public mutating func read(from raw: UnsafeRawPointer, _ source: UnpackedMessage.Source)") { out in
      out.line("let c = raw.assumingMemoryBound(to: \(model.cType).self)")
      for property in model.properties {
        switch property {
        case .field(let field): read(field, to: &out)
        case .oneof(let oneof): read(oneof, to: &out)
        }
      }
      out.line("self.unknownFields = source.unknownFields(c.pointee.base)")
    }
    out.line()
    out.block("public func write(to raw: UnsafeMutableRawPointer, _ target: PackedMessage.Target)") { out in
      out.line("let c = raw.assumingMemoryBound(to: \(model.cType).self)")
      for property in model.properties {
        switch property {
        case .field(let field): write(field, to: &out)
        case .oneof(let oneof): write(oneof, to: &out)
        }
      }
      out.line("target.unknownFields(self.unknownFields, &c.pointee.base)")
    }
  }

  // MARK: Reading

  private func read(_ field: FieldModel, to out: inout SourceText) {
    let number = field.descriptor.number
    let member = "c.pointee.f\(number)"
    let type = field.descriptor.type
    switch field.shape {
    case .plain:
      out.line("self.\(field.name) = \(readValue(type, field.valueType, member, field.descriptor.fullName))")
    case .optional:
      let value = readValue(type, field.valueType, member, field.descriptor.fullName)
      out.line("if c.pointee.p\(number)_case.rawValue != 0 { self.\(field.name) = \(value) }")
    case .message:
      out.line("self.\(field.name) = source.message(\(member))")
    case .boxed:
      out.line("self.\(field.boxName) = source.boxed(\(member))")
    case .repeated:
      let count = "c.pointee.n_f\(number)"
      let call =
        switch type {
        case .string: "strings(\(count), \(member), \"\(field.descriptor.fullName)\")"
        case .bytes: "byteArrays(\(count), \(member))"
        case .bool: "booleans(\(count), \(member))"
        case .enum: "enums(\(count), \(member))"
        case .message: "messages(\(count), \(member))"
        default: "values(\(count), \(member))"
        }
      out.line("self.\(field.name) = source.\(call)")
    case .map(let key, let value):
      let keyText = readValue(key.type, "", "$0.f1", field.descriptor.fullName)
      let valueText = readValue(value.type, field.valueType, "$0.f2", field.descriptor.fullName)
      out.line("self.\(field.name) = source.map(c.pointee.n_f\(number), \(member)) { (\(keyText), \(valueText)) }")
    }
  }

  private func read(_ oneof: MessageModel.Oneof, to out: inout SourceText) {
    out.line("switch c.pointee.o\(oneof.index)_case.rawValue {")
    for member in oneof.members {
      let field = member.descriptor
      let value = readValue(field.type, member.valueType, "c.pointee.f\(field.number)", field.fullName)
      out.line("case \(field.number): self.\(oneof.name) = .\(member.name)(\(value))")
    }
    out.line("default: break")
    out.line("}")
  }

  private func readValue(_ type: FieldType, _ valueType: String, _ value: String, _ fullName: String) -> String {
    switch type {
    case .string: "source.string(\(value), \"\(fullName)\")"
    case .bytes: "source.bytes(\(value))"
    case .bool: "\(value) != 0"
    case .enum: "\(valueType)(rawValue: \(value))"
    case .message: "source.member(\(value))"
    default: value
    }
  }

  // MARK: Writing

  private func write(_ field: FieldModel, to out: inout SourceText) {
    let number = field.descriptor.number
    let type = field.descriptor.type
    let member = "c.pointee.f\(number)"
    let value = "self.\(field.name)"
    switch field.shape {
    case .plain where type == .float || type == .double:
      out.line(writePresent("c.pointee", "if \(value).bitPattern != 0", field.descriptor, value, model.cType))
    case .plain:
      out.line("\(member) = \(writeValue(type, value))")
    case .optional:
      out.line(writePresent("c.pointee", "if let value = \(value)", field.descriptor, "value", model.cType))
    case .message, .boxed:
      let message = if case .boxed = field.shape { "self.\(field.boxName)?.value" } else { value }
      if field.descriptor.isProto3Optional {
        out.line(writePresent("c.pointee", "if let value = \(message)", field.descriptor, "value", model.cType))
      } else {
        out.line("\(member) = target.message(\(message))")
      }
    case .repeated:
      let function =
        switch type {
        case .string: "strings"
        case .bytes: "byteArrays"
        case .bool: "booleans"
        case .enum: "enums"
        case .message: "messages"
        default: "values"
        }
      out.line("c.pointee.n_f\(number) = \(value).count")
      out.line("\(member) = target.\(function)(\(value))")
    case .map(let key, let valueField):
      writeMap(field, key, valueField, to: &out)
    }
  }

  private func writeMap(
    _ field: FieldModel, _ key: FieldDescriptor, _ value: FieldDescriptor, to out: inout SourceText
  ) {
    let number = field.descriptor.number
    let entry = field.descriptor.typeName ?? ""
    let layout = "MessageLayout(\(CNaming.lower(entry))__layout())"
    out.line("c.pointee.n_f\(number) = self.\(field.name).count")
    out.block("c.pointee.f\(number) = target.map(self.\(field.name), \(layout))", parameters: "key, value, entry") {
      out in
      out.line("entry.f1 = \(writeValue(key.type, "key"))")
      if value.type == .float || value.type == .double {
        out.line(writePresent("entry", "if value.bitPattern != 0", value, "value", CNaming.type(entry)))
      } else {
        out.line("entry.f2 = \(writeValue(value.type, "value"))")
      }
    }
  }

  private func write(_ oneof: MessageModel.Oneof, to out: inout SourceText) {
    out.line("switch self.\(oneof.name) {")
    for member in oneof.members {
      let number = member.descriptor.number
      out.line("case .\(member.name)(let value)?:")
      out.line("  c.pointee.o\(oneof.index)_case = \(model.cType)__O\(oneof.index)Case(rawValue: \(number))")
      out.line("  c.pointee.f\(number) = \(writeValue(member.descriptor.type, "value"))")
    }
    out.line("case nil: break")
    out.line("}")
  }

  /// A scalar that is written when it is present, through the oneof that `CRewriter` puts around it.
  private func writePresent(
    _ target: String, _ condition: String, _ field: FieldDescriptor, _ value: String, _ cType: String
  ) -> String {
    let presence = "\(target).p\(field.number)_case = \(cType)__P\(field.number)Case(rawValue: \(field.number))"
    return "\(condition) { \(presence); \(target).f\(field.number) = \(writeValue(field.type, value)) }"
  }

  private func writeValue(_ type: FieldType, _ value: String) -> String {
    switch type {
    case .string: "target.string(\(value))"
    case .bytes: "target.bytes(\(value))"
    case .bool: "\(value) ? 1 : 0"
    case .enum: "\(value).rawValue"
    case .message: "target.message(\(value))"
    default: value
    }
  }
}
