import ProtobufRuntime

/// Writes the Swift struct for one message.
struct MessageWriter {
  let model: MessageModel

  /// - Parameters:
  ///   - nested: the code of the types declared inside.
  ///   - isOptedIn: whether the default limits of the options apply.
  func write(nested: SourceText, isOptedIn: Bool, to out: inout SourceText) {
    let descriptor = model.descriptor
    let subject = isRequest ? subjectField : nil
    let named = isMutatingRequest ? ["MutatingRequest"] : subject == nil ? [] : ["NamingRequest"]
    let conformances = (["GeneratedMessage"] + named + (isPagedRequest ? ["PagedRequest"] : [])).joined(separator: ", ")
    out.documentation(descriptor.comment, isDeprecated: descriptor.isDeprecated)
    out.block("public struct \(model.name): \(conformances)") { out in
      writeProperties(to: &out)
      out.line("/// Fields that this program's proto does not know.")
      out.line("public var unknownFields = UnknownFields()")
      out.line()
      out.line("/// All fields absent.")
      out.line("public init() {}")
      writeOneofs(to: &out)
      out.append(nested)
      out.line()
      out.line("public static var fullName: String { \"\(descriptor.fullName)\" }")
      if let subject {
        out.line()
        out.line("public var actedOnID: String { self.\(subject.name) }")
      }
      out.line()
      CodecWriter(model: model).write(to: &out)
      out.line()
      ValidationWriter(model: model, isOptedIn: isOptedIn).write(to: &out)
      out.line()
      writeDebugText(to: &out)
    }
  }

  private var isRequest: Bool { model.descriptor.name.hasSuffix("Request") }

  private var isMutatingRequest: Bool { isRequest && hasPlain(Self.requestID, .string) }

  private var isPagedRequest: Bool { isRequest && hasPlain("page_size", .int32) && hasPlain("page_token", .string) }

  /// Whether there is a field of this name and type that is always there, once.
  private func hasPlain(_ name: String, _ type: FieldType) -> Bool {
    guard let field = model.descriptor.field(named: name) else { return false }
    return field.type == type && !field.hasPresence && !field.isRepeated
  }

  private static let requestID = "request_id"

  /// The first field that is declared to hold an id; without one the first that may hold any thing's, by its name.
  private var subjectField: FieldModel? {
    let texts = model.properties.compactMap { property -> FieldModel? in
      guard case .field(let field) = property, case .plain = field.shape, field.descriptor.type == .string else {
        return nil
      }
      return field
    }
    return texts.first { !$0.rules.idKind.isEmpty }
      ?? texts.first { $0.descriptor.name.hasSuffix("_id") && $0.descriptor.name != Self.requestID }
  }

  private func writeProperties(to out: inout SourceText) {
    for property in model.properties {
      switch property {
      case .field(let field):
        out.documentation(field.descriptor.comment, isDeprecated: field.descriptor.isDeprecated)
        if case .boxed = field.shape {
          out.block("public var \(field.name): \(field.propertyType)") { out in
            out.line("get { \(field.boxName)?.value }")
            out.line("set { \(field.boxName) = newValue.map { Box($0) } }")
          }
          out.line("private var \(field.boxName): Box<\(field.valueType)>?")
        } else {
          out.line("public var \(field.name): \(field.propertyType) = \(field.initialValue)")
        }
      case .oneof(let oneof):
        out.documentation(oneof.descriptor.comment)
        out.line("public var \(oneof.name): \(oneof.type)?")
      }
    }
  }

  private func writeOneofs(to out: inout SourceText) {
    for case .oneof(let oneof) in model.properties {
      out.line()
      out.line("/// The choices of `\(oneof.descriptor.name)`.")
      out.block("public \(oneof.isRecursive ? "indirect " : "")enum \(oneof.type): Sendable, Equatable") { out in
        for member in oneof.members {
          out.documentation(member.descriptor.comment, isDeprecated: member.descriptor.isDeprecated)
          out.line("case \(member.name)(\(member.valueType))")
        }
      }
    }
  }

  private func writeDebugText(to out: inout SourceText) {
    out.block("public var debugDescription: String") { out in
      out.line("var text = DebugText(\"\(model.name)\")")
      for property in model.properties {
        switch property {
        case .field(let field):
          out.line(debugLine(field, "self.\(field.name)"))
        case .oneof(let oneof):
          out.line("switch self.\(oneof.name) {")
          for member in oneof.members {
            let binding = member.rules.isSecret ? "" : "(let value)"
            out.line("case .\(member.name)\(binding)?: \(debugLine(member, "Optional(value)"))")
          }
          out.line("case nil: break")
          out.line("}")
        }
      }
      out.line("text.unknownFields(self.unknownFields)")
      out.line("return text.result")
    }
  }

  private func debugLine(_ field: FieldModel, _ value: String) -> String {
    let name = field.descriptor.name
    return field.rules.isSecret ? "text.secret(\"\(name)\")" : "text.field(\"\(name)\", \(value))"
  }
}
