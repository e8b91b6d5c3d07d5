import ProtobufRuntime

/// The flags that stand for the fields of a request.
struct RequestFlags {
  /// One flag: the way to a field through messages, and the field.
  struct Flag {
    let option: Option
    let path: [FieldDescriptor]
    let isRequired: Bool

    /// The field at the end of `path`, which has one at least.
    var field: FieldDescriptor { path[path.count - 1] }
  }

  let flags: [Flag]
  /// The field that the first word stands for: the first that names a resource by its id.
  let positional: FieldDescriptor?

  /// Fields of messages in messages have flags down to this depth: `--device.name`.
  private static let deepestFlag = 3
  /// The field that gets a new UUID when it is not given.
  static let requestID = "request_id"

  init(_ message: MessageDescriptor, _ pool: DescriptorPool) {
    flags = Self.flags(of: message, [], pool)
    positional = message.fields.first {
      $0.type == .string && !$0.isRepeated && $0.name != Self.requestID && ($0.name.hasSuffix("_id") || $0.name == "id")
    }
  }

  var options: [Option] { flags.map(\.option) }

  /// Whether a command makes sense without its first word. Servers that declare no rules do not say.
  var isPositionalOptional: Bool {
    guard let rules = (try? positional?.declaredRules()) ?? nil else { return false }
    return !rules.isRequired
  }

  private static func flags(
    of message: MessageDescriptor, _ path: [FieldDescriptor], _ pool: DescriptorPool
  ) -> [Flag] {
    message.fields.flatMap { field -> [Flag] in
      let path = path + [field]
      let rules = (try? field.declaredRules()) ?? nil
      let isRequired = rules?.isRequired == true && field.name != requestID
      let inner = field.isRepeated ? nil : pool.messageType(of: field)
      let flag = Flag(
        option: option(path, FlagValue.placeholder(field, pool), isRequired: isRequired, pool), path: path,
        isRequired: isRequired)
      guard let inner, !FlagValue.hasText(inner.fullName), path.count < deepestFlag,
        !path.dropLast().contains(where: { $0.typeName == inner.fullName })
      else { return [flag] }
      return [flag] + flags(of: inner, path, pool)
    }
  }

  private static func option(
    _ path: [FieldDescriptor], _ placeholder: String?, isRequired: Bool, _ pool: DescriptorPool
  ) -> Option {
    let field = path[path.count - 1]
    var name = path.map { Naming.kebab($0.name) }.joined(separator: ".")
    if reserved.contains(name) { name = "field-" + name }
    var sentences = [field.comment]
    let choices = choices(field, pool)
    // Without comments, the names alone fit into a line.
    let isBare = choices.allSatisfy(\.text.isEmpty)
    if isBare, !choices.isEmpty { sentences.append("One of \(choices.map(\.name).joined(separator: ", ")).") }
    // Of one that may be given several times, the fields have no flags of their own.
    if field.isRepeated, !field.isMap, let inner = pool.messageType(of: field), !FlagValue.hasText(inner.fullName),
      !inner.fields.isEmpty
    {
      sentences.append("Fields: \(inner.fields.map(\.name).joined(separator: ", ")).")
    }
    if field.name == requestID, path.count == 1 { sentences = ["Default: a new UUID."] }
    if isRequired { sentences.insert("Required.", at: 0) }
    // Other users of the machine see a running program's command line.
    if isSecret(field) { sentences.append("A secret: - asks for it, or it stands in --data @FILE.") }
    var option = Option(
      name, value: placeholder, repeats: field.isRepeated,
      sentences.filter { !$0.isEmpty }.joined(separator: " "))
    if !isBare { option.choices = choices }
    return option
  }

  /// The values of an enum by their short names, but for the one that says nothing.
  static func choices(_ field: FieldDescriptor, _ pool: DescriptorPool) -> [(name: String, text: String)] {
    guard let type = pool.enumType(of: field) else { return [] }
    return type.values.filter { $0.number != 0 }.map { (FlagValue.shortName($0.name, of: type), $0.comment) }
  }

  private static func isSecret(_ field: FieldDescriptor) -> Bool {
    field.type == .string && (try? field.declaredRules())??.isSecret == true
  }

  private static let reserved = Set((GlobalOptions.options + [Command.dataOption]).map(\.name))

  // MARK: The request

  /// The request that a command line stands for; nil if it says nothing of it.
  ///
  /// Secrets that are given as `-` are asked for, and so are those that are required and missing where somebody sits at
  /// a terminal.
  func request(_ arguments: ParsedArguments, _ pool: DescriptorPool) throws -> JSONText? {
    var root = Node()
    guard arguments.words.count <= (positional == nil ? 0 : 1) else {
      throw UsageError("\(arguments.words.last ?? "") is one word too many")
    }
    if let positional, let word = arguments.words.first { root.set([positional], .string(word)) }
    for flag in flags {
      var texts = arguments.all(flag.option.name)
      if Self.isSecret(flag.field) {
        let isMissing = texts.isEmpty && flag.isRequired && flag.path.count == 1 && arguments["data"] == nil
        if texts == ["-"] || isMissing && Prompt.isPossible {
          texts = [try Prompt.secret("\(Naming.sentence(flag.field.name)): ")]
        }
      }
      if texts.isEmpty { continue }
      do {
        root.set(flag.path, try FlagValue.json(flag.field, texts, pool))
      } catch {
        throw UsageError("--\(flag.option.name): \(error.message)")
      }
    }
    return root.isEmpty ? nil : root.json
  }

  /// A message under construction.
  private struct Node {
    private var values: [(String, JSONText)] = []
    private var children: [(String, Node)] = []

    var isEmpty: Bool { values.isEmpty && children.isEmpty }

    var json: JSONText { .object(values + children.map { ($0.0, $0.1.json) }) }

    mutating func set(_ path: [FieldDescriptor], _ value: JSONText) {
      let name = path[0].name
      guard path.count > 1 else { return values.append((name, value)) }
      let index = children.firstIndex { $0.0 == name } ?? children.count
      if index == children.count { children.append((name, Node())) }
      children[index].1.set(Array(path.dropFirst()), value)
    }
  }
}
