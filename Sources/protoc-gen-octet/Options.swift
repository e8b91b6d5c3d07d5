/// What `--octet_opt=…` asks for.
///
/// - `module=NAME`: all files that are generated belong to this Swift module.
/// - `map=PREFIX=NAME`: files whose path begins with PREFIX belong to the module NAME. The longest prefix counts.
///   `NAME+X` puts X before the names of their top-level types, for modules in which two packages use one name.
/// - `descriptors=FILE`: this file is described, for reflection, but no types are made of it: options, say. The same
///   holds for all proto2 files.
/// - `services=false`: no service code, for modules that must not depend on the RPC stack.
struct Options {
  struct Module: Equatable {
    var name: String
    var typePrefix = ""
  }

  /// Modules by prefix of a file's path.
  private var modules: [String: Module] = ["google/protobuf/": Module(name: "WellKnownTypes")]
  private var defaultModule: Module?
  private(set) var makesServices = true
  /// Files that are only described.
  private(set) var described: Set<String> = []

  /// - Throws: `GeneratorError` for an option that does not exist.
  init(parameter: String) throws(GeneratorError) {
    for option in parameter.split(separator: ",") {
      let parts = option.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
      switch (parts[0], parts.count) {
      case ("module", 2): defaultModule = Self.module(parts[1])
      case ("map", 3): modules[parts[1]] = Self.module(parts[2])
      case ("descriptors", 2): described.insert(parts[1])
      case ("services", 2): makesServices = parts[1] == "true"
      default:
        throw GeneratorError(
          "unknown option '\(option)': module=NAME, map=PREFIX=NAME, descriptors=FILE or services=false")
      }
    }
  }

  /// The module of a file; nil if no option says it.
  func module(ofFile file: String) -> Module? {
    let prefix = modules.keys.filter { file.hasPrefix($0) }.max { $0.utf8.count < $1.utf8.count }
    return prefix.flatMap { modules[$0] } ?? defaultModule
  }

  private static func module(_ text: String) -> Module {
    let parts = text.split(separator: "+", maxSplits: 1).map(String.init)
    return Module(name: parts.first ?? "", typePrefix: parts.count > 1 ? parts[1] : "")
  }
}

/// Why nothing can be generated, in a sentence for the person who called protoc.
struct GeneratorError: Error {
  let message: String

  init(_ message: String) {
    self.message = message
  }
}
