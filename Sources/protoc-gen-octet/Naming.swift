/// How names of protos become names of Swift.
enum Naming {
  /// Words that Swift writes in capitals when they are not the first of a name.
  private static let capitalWords: Set<String> = ["id", "url", "uuid", "http"]

  /// Type names that would hide something of Swift; they get the prefix `Proto`.
  private static let takenTypeNames: Set<String> = [
    "Any", "AnyObject", "Array", "Bool", "Box", "Character", "Clock", "Codable", "DebugText", "Dictionary", "Double",
    "Duration", "Equatable", "Error", "Float", "GeneratedMessage", "Hashable", "Identifiable", "Int", "Int16",
    "Int32", "Int64", "Int8", "Message", "MessageLayout", "MutatingRequest", "NamingRequest", "Never", "Optional",
    "PackedMessage", "PagedRequest", "Protocol", "ProtobufEnum", "Range", "Result", "Self", "Sendable", "Sequence",
    "Set", "StaticString", "String", "Task", "Type", "UInt", "UInt16", "UInt32", "UInt64", "UInt8", "UnknownFields",
    "UnpackedMessage", "Violations", "Void",
  ]

  /// Names that a property or enum case cannot have, even between backticks, or that `Message` uses.
  private static let takenMemberNames: Set<String> = [
    "Protocol", "Self", "Type", "debugDescription", "encoded", "init", "isRecognized", "protoName", "rawValue", "read",
    "self", "unknownFields", "unrecognized", "validate", "violations", "write",
  ]

  private static let keywords: Set<String> = [
    "any", "as", "associatedtype", "await", "break", "case", "catch", "class", "continue", "default", "defer", "deinit",
    "do", "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for", "func", "guard", "if", "import",
    "in", "inout", "internal", "is", "let", "nil", "operator", "precedencegroup", "private", "protocol", "public",
    "repeat", "rethrows", "return", "some", "static", "struct", "subscript", "super", "switch", "throw", "throws",
    "true",
    "try", "typealias", "var", "where", "while",
  ]

  /// `request_id` → `requestID`.
  static func property(_ name: String) -> String {
    member(lowerCamel(words(of: name)))
  }

  /// `RIDE_STATE_REQUESTED` without its prefix → `requested`.
  static func enumCase(_ name: String) -> String {
    member(lowerCamel(words(of: name.lowercased())))
  }

  /// `RequestRide` → `requestRide`, `HTTPGet` → `httpGet`.
  static func method(_ name: String) -> String {
    let run = name.prefix { $0.isUppercase }
    let rest = name.dropFirst(run.count)
    // The last capital of a run begins the next word, unless nothing follows.
    let head = run.count > 1 && !rest.isEmpty ? run.dropLast().lowercased() + run.suffix(1) : run.lowercased()
    return member(head + rest)
  }

  /// `event_kind` → `EventKind`, for the enum of a oneof.
  static func oneofType(_ name: String) -> String {
    type(words(of: name).map { upperFirst($0) }.joined())
  }

  /// A message's or enum's own name, changed only where it would hide something of Swift.
  static func type(_ name: String) -> String {
    takenTypeNames.contains(name) ? "Proto\(name)" : upperFirst(name)
  }

  /// `RideState` → `RIDE_STATE_`, the prefix that the values of an enum have.
  static func enumValuePrefix(_ name: String) -> String {
    var result = ""
    var previous: Character?
    for (index, character) in name.enumerated() {
      let next = name.dropFirst(index + 1).first
      if character.isUppercase, let previous,
        !previous.isUppercase || next?.isLowercase == true, previous != "_"
      {
        result += "_"
      }
      result += character.uppercased()
      previous = character
    }
    return result + "_"
  }

  private static func member(_ name: String) -> String {
    if takenMemberNames.contains(name) { return name + "_" }
    return keywords.contains(name) ? "`\(name)`" : name
  }

  private static func words(of name: String) -> [String] {
    name.split(separator: "_").map(String.init)
  }

  private static func lowerCamel(_ words: [String]) -> String {
    guard let first = words.first else { return "_" }
    let rest = words.dropFirst().map { capitalWords.contains($0) ? $0.uppercased() : upperFirst($0) }
    let result = ([first.prefix(1).lowercased() + first.dropFirst()] + rest).joined()
    return result.first?.isNumber == true ? "_" + result : result
  }

  private static func upperFirst(_ name: String) -> String {
    name.prefix(1).uppercased() + name.dropFirst()
  }
}

/// How protoc-gen-c names what it makes, and how `CRewriter` names fields so that no name of a proto can be a word
/// of C, a macro, or a name that protoc-gen-c makes up itself.
enum CNaming {
  /// `octet.rides.v1.Ride` → `Octet__Rides__V1__Ride`.
  static func type(_ fullName: String) -> String {
    fullName.split(separator: ".").map { camel($0) }.joined(separator: "__")
  }

  /// `octet.rides.v1.RideEvent` → `octet__rides__v1__ride_event`.
  static func lower(_ fullName: String) -> String {
    fullName.split(separator: ".").map { snake($0) }.joined(separator: "__")
  }

  static func field(_ number: Int32) -> String { "f\(number)" }
  static func oneof(_ index: Int) -> String { "o\(index)" }

  /// The one-field oneof that says whether a scalar is present: protoc-gen-c 1.4.1 knows no `optional`, and
  /// protobuf-c drops a float of -0.0 that has no presence.
  static func presence(_ number: Int32) -> String { "p\(number)" }

  private static func camel(_ name: Substring) -> String {
    name.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  private static func snake(_ name: Substring) -> String {
    var result = ""
    var wasUpper = true
    for character in name {
      if character.isUppercase, !wasUpper { result += "_" }
      wasUpper = character.isUppercase
      result += character.lowercased()
    }
    return result
  }
}
