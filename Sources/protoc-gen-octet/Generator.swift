import ProtobufRuntime

/// Makes Swift, and the C that belongs to it, from a set of protos.
struct Generator {
  struct OutputFile {
    var path: String
    var content: String
  }

  let pool: DescriptorPool
  let options: Options
  let names: TypeNames
  private var recursion: Recursion

  init(_ pool: DescriptorPool, _ options: Options) {
    self.pool = pool
    self.options = options
    names = TypeNames(pool, options)
    recursion = Recursion(pool)
  }

  /// The files for the protos `paths`: for each module the Swift in a folder of its name, the C in one of the same
  /// name with C in front.
  mutating func generate(_ paths: [String]) throws(GeneratorError) -> [OutputFile] {
    var modules: [String: [FileDescriptor]] = [:]
    for path in paths {
      guard let file = pool.file(named: path) else { throw GeneratorError("\(path) is not among the descriptors") }
      guard let module = options.module(ofFile: path) else {
        throw GeneratorError("no module for \(path): say --octet_opt=module=NAME or --octet_opt=map=PREFIX=NAME")
      }
      modules[module.name, default: []].append(file)
    }
    var output: [OutputFile] = []
    for (module, files) in modules.sorted(by: { $0.key < $1.key }) {
      let files = files.sorted { $0.name < $1.name }
      let typed = files.filter { $0.syntax == "proto3" && !options.described.contains($0.name) }
      for file in typed {
        if !file.messages.isEmpty || !file.enums.isEmpty {
          output.append(try messages(of: file, module))
        }
        if options.makesServices, !file.services.isEmpty {
          output.append(try services(of: file, module))
        }
      }
      output += DescriptorsWriter(module: module, files: files, typedFiles: typed, names: names).output()
    }
    return output
  }

  private mutating func messages(of file: FileDescriptor, _ module: String) throws(GeneratorError) -> OutputFile {
    var out = header(file, imports: ["CProtobufC", "C\(module)", "ProtobufRuntime"], file.modulesOfMessages(self))
    for item in file.enums {
      EnumWriter(descriptor: item, name: names.ownName(item.fullName)).write(to: &out)
      out.line()
    }
    for message in file.messages {
      try write(message, module, scope: [], to: &out)
      out.line()
    }
    return OutputFile(path: "\(module)/\(file.flatName).octet.swift", content: out.trimmed)
  }

  private mutating func write(
    _ message: MessageDescriptor, _ module: String, scope: [String], to out: inout SourceText
  ) throws(GeneratorError) {
    let model = try model(of: message, module, scope: scope)
    let writer = MessageWriter(model: model)
    var nested = SourceText()
    let inside = scope + [message.fullName]
    for item in message.nestedEnums {
      nested.line()
      EnumWriter(descriptor: item, name: names.ownName(item.fullName)).write(to: &nested)
    }
    for item in message.nestedMessages where !item.isMapEntry {
      nested.line()
      try write(item, module, scope: inside, to: &nested)
    }
    writer.write(nested: nested, isOptedIn: isOptedIn(message), to: &out)
  }

  private mutating func services(of file: FileDescriptor, _ module: String) throws(GeneratorError) -> OutputFile {
    var out = header(file, imports: ["RPC"], file.modulesOfMethods(self))
    for service in file.services {
      let prefix = options.module(ofFile: file.name)?.typePrefix ?? ""
      let writer = ServiceWriter(descriptor: service, module: module, typePrefix: prefix, names: names, pool: pool)
      try writer.write(to: &out)
    }
    return OutputFile(path: "\(module)/\(file.flatName).services.swift", content: out.trimmed)
  }

  private func header(_ file: FileDescriptor, imports: [String], _ more: [String]) -> SourceText {
    var out = SourceText()
    out.line("// Made by protoc-gen-octet from \(file.name). Changes belong there.")
    out.line()
    for name in imports where name.hasPrefix("C") { out.line("internal import \(name)") }
    for name in (imports.filter { !$0.hasPrefix("C") } + more).sorted() { out.line("public import \(name)") }
    out.line()
    return out
  }
}

extension Generator {
  /// A file that imports the options has their default limits on all its fields.
  private func isOptedIn(_ message: MessageDescriptor) -> Bool {
    pool.file(named: message.file)?.imports.contains("octet/options/v1/options.proto") == true
  }

  private mutating func model(
    of message: MessageDescriptor, _ module: String, scope: [String]
  ) throws(GeneratorError) -> MessageModel {
    let inside = scope + [message.fullName]
    var properties: [MessageModel.Property] = []
    var oneofs: [Int: Int] = [:]
    for field in message.fields {
      let fieldModel = try model(of: field, in: message, module, scope: inside)
      guard let index = field.realOneofIndex else {
        properties.append(.field(fieldModel))
        continue
      }
      if let position = oneofs[index], case .oneof(var oneof) = properties[position] {
        oneof.members.append(fieldModel)
        properties[position] = .oneof(oneof)
      } else {
        let descriptor = message.oneofs[index]
        let members = message.fields.filter { $0.realOneofIndex == index }
        oneofs[index] = properties.count
        properties.append(
          .oneof(
            .init(
              descriptor: descriptor, index: index, name: Naming.property(descriptor.name),
              type: names.oneofType(descriptor, of: message), members: [fieldModel],
              isRecursive: members.contains { recursion.isRecursive($0, of: message) })))
      }
    }
    return MessageModel(descriptor: message, name: names.ownName(message.fullName), properties: properties)
  }

  private mutating func model(
    of field: FieldDescriptor, in message: MessageDescriptor, _ module: String, scope: [String]
  ) throws(GeneratorError) -> FieldModel {
    let shape: FieldModel.Shape
    var valueField = field
    if let entry = message.mapEntry(of: field), let key = entry.field(numbered: 1), let value = entry.field(numbered: 2)
    {
      shape = .map(key: key, value: value)
      valueField = value
    } else if field.isRepeated {
      shape = .repeated
    } else if field.type == .message, field.realOneofIndex == nil {
      shape = recursion.isRecursive(field, of: message) ? .boxed : .message
    } else {
      shape = field.isProto3Optional ? .optional : .plain
    }
    if let type = valueField.typeName, !names.contains(type) {
      throw GeneratorError("\(field.fullName): no module for \(type); say --octet_opt=map=PREFIX=NAME")
    }
    let declared = names.reference(to: valueField.typeName ?? "", in: scope, module: module)
    do {
      return FieldModel(
        descriptor: field, shape: shape, name: Naming.property(field.name),
        valueType: FieldModel.scalarType(valueField.type) ?? declared,
        rules: try field.declaredRules() ?? DeclaredRules())
    } catch {
      throw GeneratorError("\(field.fullName): the rules cannot be read")
    }
  }
}

extension FileDescriptor {
  /// The path without folders, so that no two files of a module have one name: `octet_rides_v1_rides`.
  var flatName: String {
    let path = name.hasSuffix(".proto") ? name.dropLast(".proto".count) : name[...]
    return String(path.map { $0 == "/" ? "_" : $0 })
  }

  /// Other modules whose types the file's messages use.
  func modulesOfMessages(_ generator: Generator) -> [String] {
    var used: Set<String> = []
    for message in messages { Self.collectTypes(of: message, into: &used) }
    return modules(of: used, generator)
  }

  /// Other modules whose types the file's methods use.
  func modulesOfMethods(_ generator: Generator) -> [String] {
    modules(of: Set(services.flatMap(\.methods).flatMap { [$0.inputType, $0.outputType] }), generator)
  }

  private func modules(of used: Set<String>, _ generator: Generator) -> [String] {
    let own = generator.options.module(ofFile: name)?.name ?? ""
    return Set(used.map { generator.names.module($0) }).subtracting([own, ""]).sorted()
  }

  private static func collectTypes(of message: MessageDescriptor, into used: inout Set<String>) {
    used.formUnion(message.fields.compactMap(\.typeName))
    for nested in message.nestedMessages { collectTypes(of: nested, into: &used) }
  }
}
