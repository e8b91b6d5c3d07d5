internal import Base

/// The named formats that `(octet.options.v1.rules).format` may ask for. Each looks at the text alone: whether an
/// address exists or a name is taken is for the handlers.
public enum TextFormat: String, CaseIterable, Sendable {
  /// A UUID in the form of RFC 9562, with hyphens, in either case.
  case uuid
  /// A user's public name: 3 to 30 of a–z, 0–9 and underscore, beginning with a letter.
  case handle
  /// An e-mail address: one @, a local part of up to 64 octets, a dotted domain, 254 octets in all.
  case email
  /// A telephone number in E.164: a plus sign and 7 to 15 digits that do not begin with 0.
  case phone
  /// An ISO 4217 currency code: three capitals.
  case currency
  /// The version tag that a reply carried: 1 to 64 visible ASCII characters other than quotation marks.
  case etag

  /// What a text in this format looks like, for an error.
  var requirement: String {
    switch self {
    case .uuid: "must be a UUID"
    case .handle: "must be 3 to 30 of a-z, 0-9 and _, beginning with a letter"
    case .email: "must be an e-mail address"
    case .phone: "must be a telephone number in international form, beginning with +"
    case .currency: "must be an ISO 4217 currency code in capitals"
    case .etag: "must be an etag that the server gave"
    }
  }

  /// Whether `text` has this format. An empty text has none.
  public func matches(_ text: String) -> Bool {
    let octets = text.utf8
    switch self {
    case .uuid:
      return UUIDText.bytes(text) != nil
    case .handle:
      return (3...30).contains(octets.count) && octets.first?.isLowercase == true
        && octets.allSatisfy { $0.isLowercase || $0.isDigit || $0 == UInt8(ascii: "_") }
    case .email:
      return Self.isEmail(octets)
    case .phone:
      return (8...16).contains(octets.count) && octets.first == UInt8(ascii: "+")
        && octets.dropFirst().first != UInt8(ascii: "0") && octets.dropFirst().allSatisfy(\.isDigit)
    case .currency:
      return octets.count == 3 && octets.allSatisfy(\.isUppercase)
    case .etag:
      return (1...64).contains(octets.count) && octets.allSatisfy { $0.isVisible && $0 != UInt8(ascii: "\"") }
    }
  }

  private static func isEmail(_ octets: String.UTF8View) -> Bool {
    guard octets.count <= 254 else { return false }
    let parts = octets.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
    guard parts.count == 2, (1...64).contains(parts[0].count) else { return false }
    let labels = parts[1].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts[0].allSatisfy(\.isVisible) && labels.count >= 2 && labels.allSatisfy { isLabel($0) }
  }

  /// One part of a domain name, in ASCII.
  private static func isLabel(_ label: Substring.UTF8View) -> Bool {
    let hyphen = UInt8(ascii: "-")
    return (1...63).contains(label.count) && label.first != hyphen && label.last != hyphen
      && label.allSatisfy { $0.isLowercase || $0.isUppercase || $0.isDigit || $0 == hyphen }
  }
}

extension UInt8 {
  fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
  fileprivate var isLowercase: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }
  fileprivate var isUppercase: Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) }
  /// Printable ASCII without the space.
  fileprivate var isVisible: Bool { (0x21...0x7e).contains(self) }
}
