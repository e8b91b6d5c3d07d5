import ProtobufRuntime

/// Writes the Swift enum for an enum of the protos.
struct EnumWriter {
  let descriptor: EnumDescriptor
  let name: String

  func write(to out: inout SourceText) {
    let cases = caseNames()
    var seen: Set<Int32> = []
    // The first name of a number is the case, others are aliases.
    let firsts = descriptor.values.filter { seen.insert($0.number).inserted }
    let caseByNumber = Dictionary(firsts.map { ($0.number, cases[$0.name] ?? "") }, uniquingKeysWith: { $1 })
    out.documentation(descriptor.comment, isDeprecated: descriptor.isDeprecated)
    out.block("public enum \(name): ProtobufEnum") { out in
      for value in firsts {
        out.documentation(value.comment, isDeprecated: value.isDeprecated)
        out.line("case \(cases[value.name] ?? "")")
      }
      out.line("/// A number that this program's proto does not know.")
      out.line("case unrecognized(Int32)")
      var others = Set(descriptor.values.map(\.name)).subtracting(firsts.map(\.name))
      for value in descriptor.values where others.remove(value.name) != nil {
        guard let alias = cases[value.name], let target = caseByNumber[value.number], alias != target else { continue }
        out.line()
        out.documentation(value.comment, isDeprecated: value.isDeprecated)
        out.line("public static var \(alias): Self { .\(target) }")
      }
      out.line()
      out.line("public static var fullName: String { \"\(descriptor.fullName)\" }")
      out.line()
      writeNumbers(firsts.map { ($0.number, cases[$0.name] ?? "", $0.name) }, to: &out)
    }
  }

  private func writeNumbers(_ values: [(number: Int32, caseName: String, name: String)], to out: inout SourceText) {
    out.block("public init(rawValue: Int32)") { out in
      out.line("switch rawValue {")
      for value in values { out.line("case \(value.number): self = .\(value.caseName)") }
      out.line("default: self = .unrecognized(rawValue)")
      out.line("}")
    }
    out.line()
    out.block("public var rawValue: Int32") { out in
      out.line("switch self {")
      for value in values { out.line("case .\(value.caseName): \(value.number)") }
      out.line("case .unrecognized(let number): number")
      out.line("}")
    }
    out.line()
    out.block("public var protoName: String") { out in
      out.line("switch self {")
      for value in values { out.line("case .\(value.caseName): \"\(value.name)\"") }
      out.line("case .unrecognized(let number): \"\\(number)\"")
      out.line("}")
    }
    out.line()
    out.block("public var isRecognized: Bool") { out in
      out.line("if case .unrecognized = self { false } else { true }")
    }
  }

  /// Case names by proto name: without the enum's own name in front, where all values have it and stay distinct.
  private func caseNames() -> [String: String] {
    let prefix = Naming.enumValuePrefix(descriptor.name)
    let names = descriptor.values.map(\.name)
    let canStrip = names.allSatisfy { $0.hasPrefix(prefix) && $0.dropFirst(prefix.count).first?.isLetter == true }
    let short = names.map { Naming.enumCase(String(canStrip ? $0.dropFirst(prefix.count) : $0[...])) }
    return Dictionary(zip(names, short), uniquingKeysWith: { first, _ in first })
  }
}
