/// The descriptors of a set of proto files, by name.
///
/// A value: adding to a copy leaves the original alone. Whatever is in a pool is complete: its imports are there as
/// well and each reference to a type leads somewhere.
public struct DescriptorPool: Sendable {
  /// What a full name stands for.
  public enum Symbol: Sendable {
    case message(MessageDescriptor)
    case `enum`(EnumDescriptor)
    case service(ServiceDescriptor)
    case method(MethodDefinition, of: ServiceDescriptor)
    case `extension`(FieldDescriptor)
  }

  /// All files; each comes after those that it imports.
  public private(set) var files: [FileDescriptor] = []
  private var filesByName: [String: FileDescriptor] = [:]
  private var symbols: [String: (symbol: Symbol, file: FileDescriptor)] = [:]
  private var extensionsByExtendee: [String: [FieldDescriptor]] = [:]

  public init() {}

  /// A pool of everything in some serialized FileDescriptorSets.
  public init(serializedFileDescriptorSets sets: [[UInt8]]) throws(DescriptorError) {
    var files: [[UInt8]] = []
    for set in sets { files += try Self.files(inSet: set) }
    try add(serializedFiles: files)
  }

  /// The serialized FileDescriptorProtos of a serialized FileDescriptorSet, byte for byte.
  public static func files(inSet set: [UInt8]) throws(DescriptorError) -> [[UInt8]] {
    var reader = WireReader(set)
    var files: [[UInt8]] = []
    do {
      while let tag = try reader.tag() {
        if tag == WireTag(number: 1, type: .lengthDelimited) {
          files.append(try reader.lengthDelimited().remaining)
        } else {
          try reader.skip(tag)
        }
      }
    } catch {
      throw .malformed(file: "", why: "not a FileDescriptorSet")
    }
    return files
  }

  /// Adds serialized FileDescriptorProtos in whichever order. All of them join, or none.
  ///
  /// A file of a name that the pool has already is passed over: one name is one file.
  /// - Throws: `.missingImports` if an import is neither here nor among `serializedFiles`; a caller that can get hold
  ///   of it (from a server's reflection) adds it to the list and tries again.
  public mutating func add(serializedFiles: [[UInt8]]) throws(DescriptorError) {
    var waiting: [String: FileDescriptor] = [:]
    var order: [String] = []
    for bytes in serializedFiles {
      let file = try FileDescriptor(serialized: bytes)
      guard filesByName[file.name] == nil, waiting[file.name] == nil else { continue }
      waiting[file.name] = file
      order.append(file.name)
    }
    var result = self
    var progress = true
    while progress {
      progress = false
      for name in order {
        guard let file = waiting[name], file.imports.allSatisfy({ result.filesByName[$0] != nil }) else { continue }
        try result.append(file)
        waiting[name] = nil
        progress = true
      }
    }
    for name in order {
      guard let file = waiting[name] else { continue }
      let missing = file.imports.filter { result.filesByName[$0] == nil && waiting[$0] == nil }
      if !missing.isEmpty { throw .missingImports(file: name, imports: missing) }
    }
    guard waiting.isEmpty else { throw .circularImports(files: order.filter { waiting[$0] != nil }) }
    self = result
  }

  /// Adds all files of another pool that this one does not have.
  public mutating func merge(_ other: DescriptorPool) throws(DescriptorError) {
    try add(serializedFiles: other.files.map(\.serialized))
  }

  // MARK: Looking up

  /// The file of that name.
  public func file(named name: String) -> FileDescriptor? { filesByName[name] }

  /// What a full name stands for, and the file that defines it.
  public func symbol(_ fullName: String) -> (symbol: Symbol, file: FileDescriptor)? { symbols[fullName] }

  /// The message of that full name.
  public func message(_ fullName: String) -> MessageDescriptor? {
    if case .message(let message)? = symbols[fullName]?.symbol { message } else { nil }
  }

  /// The enum of that full name.
  public func `enum`(_ fullName: String) -> EnumDescriptor? {
    if case .enum(let value)? = symbols[fullName]?.symbol { value } else { nil }
  }

  /// The service of that full name.
  public func service(_ fullName: String) -> ServiceDescriptor? {
    if case .service(let service)? = symbols[fullName]?.symbol { service } else { nil }
  }

  /// The known extensions of a message.
  public func extensions(of message: String) -> [FieldDescriptor] { extensionsByExtendee[message] ?? [] }

  /// All services, in the order of the files.
  public var services: [ServiceDescriptor] { files.flatMap(\.services) }

  /// The message that a field is of; nil for other types of field. Whatever is in the pool leads somewhere.
  public func messageType(of field: FieldDescriptor) -> MessageDescriptor? { field.typeName.flatMap { message($0) } }

  /// The enum that a field is of; nil for other types of field.
  public func enumType(of field: FieldDescriptor) -> EnumDescriptor? { field.typeName.flatMap { self.enum($0) } }
}

extension DescriptorPool {
  /// Adds a file whose imports are here.
  private mutating func append(_ file: FileDescriptor) throws(DescriptorError) {
    files.append(file)
    filesByName[file.name] = file
    for message in file.messages { try define(message, in: file) }
    for value in file.enums { try define(value.fullName, .enum(value), in: file) }
    for service in file.services {
      try define(service.fullName, .service(service), in: file)
      for method in service.methods { try define(method.fullName, .method(method, of: service), in: file) }
    }
    for field in file.extensions { try define(extension: field, in: file) }
    for message in file.messages { try checkReferences(of: message, in: file) }
    for field in file.extensions { try checkReference(of: field, in: file) }
    for method in file.services.lazy.flatMap(\.methods) {
      for name in [method.inputType, method.outputType] where self.message(name) == nil {
        throw .unknownType(symbol: name, file: file.name)
      }
    }
  }

  private mutating func define(_ message: MessageDescriptor, in file: FileDescriptor) throws(DescriptorError) {
    try define(message.fullName, .message(message), in: file)
    for nested in message.nestedMessages { try define(nested, in: file) }
    for value in message.nestedEnums { try define(value.fullName, .enum(value), in: file) }
    for field in message.nestedExtensions { try define(extension: field, in: file) }
  }

  private mutating func define(extension field: FieldDescriptor, in file: FileDescriptor) throws(DescriptorError) {
    try define(field.fullName, .extension(field), in: file)
    extensionsByExtendee[field.extendee ?? "", default: []].append(field)
  }

  private mutating func define(
    _ name: String, _ symbol: Symbol, in file: FileDescriptor
  ) throws(DescriptorError) {
    if let other = symbols.updateValue((symbol, file), forKey: name) {
      throw .duplicateSymbol(symbol: name, files: [other.file.name, file.name])
    }
  }

  private func checkReferences(of message: MessageDescriptor, in file: FileDescriptor) throws(DescriptorError) {
    for field in message.fields + message.nestedExtensions { try checkReference(of: field, in: file) }
    for nested in message.nestedMessages { try checkReferences(of: nested, in: file) }
  }

  private func checkReference(of field: FieldDescriptor, in file: FileDescriptor) throws(DescriptorError) {
    let isKnown =
      switch field.type {
      case .message, .group: messageType(of: field) != nil
      case .enum: enumType(of: field) != nil
      default: true
      }
    guard isKnown else { throw .unknownType(symbol: field.typeName ?? "", file: file.name) }
    if let extendee = field.extendee, message(extendee) == nil {
      throw .unknownType(symbol: extendee, file: file.name)
    }
  }
}
