import DomainKit

/// A way to reach a user.
enum Contact: Sendable, Equatable {
  /// An e-mail address, normalised: the domain in lower case and the local part as well, because no provider that
  /// people use tells `Ada@` from `ada@`, and two accounts for one mailbox help only thieves.
  case email(String)
  /// A phone number in E.164 form.
  case phone(String)

  init(_ kind: ContactKind, normalized address: String) {
    switch kind {
    case .email: self = .email(address)
    case .phone: self = .phone(address)
    }
  }

  /// What it is.
  var contactKind: ContactKind {
    switch self {
    case .email: .email
    case .phone: .phone
    }
  }

  /// What the database calls the kind.
  var kind: Int64 { contactKind.stored }

  /// The normalised address.
  var address: String {
    switch self {
    case .email(let address), .phone(let address): address
    }
  }

  /// Nil unless there is one `@` with something on both sides and a dot in the domain. Whether it exists, only a
  /// mail can tell.
  static func email(parsing text: String) -> Contact? {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, parts[0].utf8.count <= 64, parts[1].utf8.count <= 189,
      parts[1].split(separator: ".", omittingEmptySubsequences: false).allSatisfy({ !$0.isEmpty }),
      parts[1].contains("."), text.unicodeScalars.allSatisfy({ !$0.properties.isWhitespace && $0.value > 0x20 })
    else { return nil }
    return .email(text.lowercased())
  }

  /// Nil unless it is `+` and 7 to 15 digits, the first not 0 (E.164): those of the smallest islands have four after the code
  /// of the country. Spaces, dots, hyphens and brackets are left out.
  static func phone(parsing text: String) -> Contact? {
    let compact = text.filter { !" .-()/".contains($0) }
    guard compact.first == "+" else { return nil }
    let digits = compact.dropFirst()
    guard (7...15).contains(digits.utf8.count), digits.first != "0",
      digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return .phone(compact)
  }

  /// The e-mail address in a request.
  /// - Throws: `IdentityError.badEmail`.
  static func email(of text: String) throws(IdentityError) -> Contact {
    guard let email = email(parsing: text) else { throw .badEmail }
    return email
  }

  /// The phone number in a request.
  /// - Throws: `IdentityError.badPhoneNumber`.
  static func phone(of text: String) throws(IdentityError) -> Contact {
    guard let phone = phone(parsing: text) else { throw .badPhoneNumber(field: "phone") }
    return phone
  }
}
