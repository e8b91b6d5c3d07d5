/// Why files cannot join a pool.
public enum DescriptorError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The bytes are no FileDescriptorProto or FileDescriptorSet. `file` is empty where even the name is unreadable.
  case malformed(file: String, why: String)
  /// `file` imports files that are neither in the pool nor among those that are being added.
  case missingImports(file: String, imports: [String])
  /// The files import each other in a circle.
  case circularImports(files: [String])
  /// `symbol`, used in `file`, is defined nowhere.
  case unknownType(symbol: String, file: String)
  /// `symbol` is defined in two files.
  case duplicateSymbol(symbol: String, files: [String])

  public var description: String {
    switch self {
    case .malformed(let file, let why):
      "\(file.isEmpty ? "a file descriptor" : file) is malformed: \(why)"
    case .missingImports(let file, let imports):
      "\(file) imports \(imports.joined(separator: ", ")), which the pool does not have"
    case .circularImports(let files):
      "these files import each other in a circle: \(files.joined(separator: ", "))"
    case .unknownType(let symbol, let file):
      "\(file) uses \(symbol), which is not defined"
    case .duplicateSymbol(let symbol, let files):
      "\(symbol) is defined in \(files.joined(separator: " and in "))"
    }
  }
}
