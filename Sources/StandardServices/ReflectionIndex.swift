internal import ProtobufRuntime

/// Answers the questions of gRPC's reflection from a pool of descriptors.
struct ReflectionIndex {
  private let pool: DescriptorPool
  private let services: [String]

  /// - Parameter services: the full names of the services that the server answers.
  init(_ pool: DescriptorPool, services: [String]) {
    self.pool = pool
    self.services = services
  }

  /// The services, sorted.
  var serviceNames: [String] { services.sorted() }

  /// A file and all that it imports, directly or not. The file itself comes first.
  func files(named name: String) -> [[UInt8]]? {
    pool.file(named: name).map(withImports)
  }

  /// The file that defines a symbol (and its imports): a message, field, enum, enum value, service, method or
  /// extension.
  func files(definingSymbol name: String) -> [[UInt8]]? {
    file(defining: name).map(withImports)
  }

  /// The file that extends a message with the field of that number (and its imports).
  func files(extending message: String, number: Int32) -> [[UInt8]]? {
    guard let field = pool.extensions(of: message).first(where: { $0.number == number }) else { return nil }
    return files(definingSymbol: field.fullName)
  }

  /// The numbers of all known extensions of a message; nil if there is no such message.
  func extensionNumbers(of message: String) -> [Int32]? {
    guard pool.message(message) != nil else { return nil }
    return pool.extensions(of: message).map(\.number).sorted()
  }

  private func file(defining name: String) -> FileDescriptor? {
    if let found = pool.symbol(name) { return found.file }
    // Fields, oneofs and enum values are not symbols of the pool; what contains them is. An enum's values are named
    // like its siblings.
    guard let dot = name.lastIndex(of: ".") else { return nil }
    let (parent, last) = (String(name[..<dot]), String(name[name.index(after: dot)...]))
    guard let found = pool.symbol(parent) else { return file(definingValue: last, besides: parent) }
    switch found.symbol {
    case .message(let message):
      let isInside =
        message.field(named: last) != nil || message.oneofs.contains { $0.name == last }
        || message.nestedEnums.contains { $0.value(named: last) != nil }
      return isInside ? found.file : nil
    case .enum(let value): return value.value(named: last) != nil ? found.file : nil
    default: return nil
    }
  }

  /// The file with an enum at its top that has this value.
  private func file(definingValue value: String, besides package: String) -> FileDescriptor? {
    pool.files.first { file in
      file.package == package && file.enums.contains { $0.value(named: value) != nil }
    }
  }

  private func withImports(_ file: FileDescriptor) -> [[UInt8]] {
    var seen: Set<String> = [file.name]
    var waiting = [file]
    var result: [[UInt8]] = []
    while !waiting.isEmpty {
      let next = waiting.removeFirst()
      result.append(next.serialized)
      for name in next.imports where seen.insert(name).inserted {
        if let imported = pool.file(named: name) { waiting.append(imported) }
      }
    }
    return result
  }
}
