import ProtobufRuntime

/// Where each message and enum of the protos is found in Swift.
struct TypeNames {
  /// One Swift type.
  struct Name {
    var module: String
    /// Names from the outermost type to the type itself.
    var path: [String]
  }

  private var names: [String: Name] = [:]
  /// Names of the types that are declared inside each message, by its full name, oneofs included.
  private var nestedNames: [String: Set<String>] = [:]

  /// Files without a module, such as imports that only define options, have no types in Swift.
  init(_ pool: DescriptorPool, _ options: Options) {
    for file in pool.files where file.syntax == "proto3" {
      guard let module = options.module(ofFile: file.name) else { continue }
      for message in file.messages { add(message, module, scope: []) }
      for item in file.enums { add(item.fullName, item.name, module, scope: []) }
    }
  }

  private mutating func add(_ fullName: String, _ name: String, _ module: Options.Module, scope: [String]) {
    let own = scope.isEmpty ? Naming.type(module.typePrefix + name) : Naming.type(name)
    names[fullName] = Name(module: module.name, path: scope + [own])
  }

  private mutating func add(_ message: MessageDescriptor, _ module: Options.Module, scope: [String]) {
    add(message.fullName, message.name, module, scope: scope)
    let inside = names[message.fullName]?.path ?? []
    for nested in message.nestedMessages where !nested.isMapEntry { add(nested, module, scope: inside) }
    for item in message.nestedEnums { add(item.fullName, item.name, module, scope: inside) }
    let types = message.nestedMessages.map(\.name) + message.nestedEnums.map(\.name)
    let oneofs = message.oneofs.filter { !$0.isSynthetic }
    let oneofTypes = oneofs.map { oneofType($0, of: message) }
    nestedNames[message.fullName] = Set(types.map { Naming.type($0) } + oneofTypes)
  }

  /// Whether the type exists in Swift.
  func contains(_ fullName: String) -> Bool {
    names[fullName] != nil
  }

  /// The name of a declared type without its surroundings.
  func ownName(_ fullName: String) -> String {
    names[fullName]?.path.last ?? fullName
  }

  /// The module of a declared type.
  func module(_ fullName: String) -> String {
    names[fullName]?.module ?? ""
  }

  /// How code inside `scope` (the full names of the messages around it, outermost first) refers to a type of the
  /// protos. With its module where that is another one, or where a type in between has the same name.
  func reference(to fullName: String, in scope: [String], module: String) -> String {
    guard let name = names[fullName], let first = name.path.first else { return fullName }
    let path = name.path.joined(separator: ".")
    let isHidden = scope.contains { nestedNames[$0]?.contains(first) == true }
    return name.module != module || isHidden ? "\(name.module).\(path)" : path
  }

  /// The enum that stands for a oneof; it steps aside for a declared type of the same name.
  func oneofType(_ oneof: OneofDescriptor, of message: MessageDescriptor) -> String {
    let name = Naming.oneofType(oneof.name)
    let declared = message.nestedMessages.map(\.name) + message.nestedEnums.map(\.name)
    return declared.contains { Naming.type($0) == name } ? "\(name)Oneof" : name
  }
}
