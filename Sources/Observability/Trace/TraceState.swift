/// The header `tracestate`: a list of `key=value` of the systems that a trace has passed (W3C Trace Context §3.3).
/// It is passed on as it is, if it is valid.
enum TraceState {
  /// The header for the next request; empty if the values are not valid together, or too long to be passed on.
  /// - Parameter values: of all headers of the name, in their order.
  static func checked(_ values: [String]) -> String {
    var members: [Substring] = []
    var keys: Set<Substring> = []
    for value in values {
      guard value.utf8.count <= 4 * ObservabilityLimits.traceStateCharacters else { return "" }
      for part in value.split(separator: ",") {
        let member = trimmed(part)
        // Empty members are allowed and mean nothing.
        if member.isEmpty { continue }
        guard let key = key(of: member), keys.insert(key).inserted,
          members.count < ObservabilityLimits.traceStateMembers
        else { return "" }
        members.append(member)
      }
    }
    return shortened(members).joined(separator: ",")
  }

  /// Without members from the end, where the oldest are, until the rest is short enough; long ones go first (§3.3.1.5).
  private static func shortened(_ members: [Substring]) -> [Substring] {
    var members = members
    func length() -> Int { members.reduce(-1) { $0 + $1.utf8.count + 1 } }
    while length() > ObservabilityLimits.traceStateCharacters {
      let long = members.lastIndex { $0.utf8.count > ObservabilityLimits.traceStateMember }
      members.remove(at: long ?? members.count - 1)
    }
    return members
  }

  /// The key of a member; nil if the member is not valid.
  private static func key(of member: Substring) -> Substring? {
    guard let equals = member.firstIndex(of: "=") else { return nil }
    let key = member[..<equals]
    let value = member[member.index(after: equals)...].utf8
    guard isKey(key), (1...256).contains(value.count), value.last != 0x20,
      value.allSatisfy({ (0x20...0x7e).contains($0) && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") })
    else { return nil }
    return key
  }

  /// `key` or `tenant@system`.
  private static func isKey(_ key: Substring) -> Bool {
    let parts = key.split(separator: "@", omittingEmptySubsequences: false)
    switch parts.count {
    case 1: return isIdentifier(parts[0], longest: 256, mayBeginWithDigit: false)
    case 2:
      return isIdentifier(parts[0], longest: 241, mayBeginWithDigit: true)
        && isIdentifier(parts[1], longest: 14, mayBeginWithDigit: false)
    default: return false
    }
  }

  private static func isIdentifier(_ text: Substring, longest: Int, mayBeginWithDigit: Bool) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= longest,
      isLetter(first) || (mayBeginWithDigit && isDigit(first))
    else { return false }
    return text.utf8.allSatisfy { isLetter($0) || isDigit($0) || "_-*/".utf8.contains($0) }
  }

  private static func isLetter(_ octet: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(octet) }
  private static func isDigit(_ octet: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet) }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}
