/// How names of protos become words of a command line.
enum Naming {
  /// `RequestRide` or `request_ride` as `request-ride`; `GetHTTPInfo` as `get-http-info`.
  static func kebab(_ name: String) -> String {
    var result = ""
    let characters = Array(name)
    for (index, character) in characters.enumerated() {
      if character == "_" {
        result += "-"
      } else if character.isUppercase {
        let follows = index > 0 && characters[index - 1] != "_"
        let startsWord =
          follows
          && (!characters[index - 1].isUppercase || (index + 1 < characters.count && characters[index + 1].isLowercase))
        result += (startsWord ? "-" : "") + character.lowercased()
      } else {
        result.append(character)
      }
    }
    return result
  }

  /// `new_password` as `New password`.
  static func sentence(_ name: String) -> String {
    let words = name.split(separator: "_").joined(separator: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }

  /// The domain of a service: the last part of its package but for the version, `rides` of
  /// `octet.rides.v1.RideService`; nil without a package and for the services of gRPC itself.
  static func domain(ofService fullName: String) -> String? {
    var parts = fullName.split(separator: ".").dropLast()
    guard let first = parts.first, first != "grpc" else { return nil }
    if parts.count > 1, let last = parts.last, isVersion(last) { parts.removeLast() }
    return parts.last.map { kebab(String($0)) }
  }

  private static func isVersion(_ part: Substring) -> Bool {
    part.first == "v" && part.dropFirst().first?.isNumber == true
  }

  /// `rides` as `ride`.
  static func singular(_ word: String) -> String {
    word.count > 1 && word.last == "s" ? String(word.dropLast()) : word
  }
}
