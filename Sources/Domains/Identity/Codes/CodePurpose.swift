import Base
import Cryptography
import DomainKit

/// What a code is for.
enum CodePurpose: Int64, Sendable {
  /// To prove an e-mail address or a phone number.
  case contact = 1
  /// To prove who uses a session.
  case stepUp = 2
  /// To set a new password.
  case reset = 3

  /// How long a code is good for.
  var lifetime: Duration {
    switch self {
    case .contact, .stepUp: .seconds(10 * 60)
    case .reset: .seconds(30 * 60)
    }
  }

  /// What a person typed, as it is compared.
  func normalized(_ text: String) -> String {
    let compact = text.filter { $0 != " " && $0 != "-" }
    guard self == .reset else { return compact }
    // Crockford's base 32 leaves out letters that look like digits, so that they can be read as these.
    return String(
      compact.uppercased().map { character in
        switch character {
        case "O": "0"
        case "I", "L": "1"
        default: character
        }
      })
  }
}

/// Which code. Of each there is one at a time, so that a newer one takes the place of the older.
enum CodeSlot: Sendable {
  /// For a user to prove a contact of a kind.
  case contact(Identifier, kind: Int64)
  case stepUp(Identifier)
  /// For whoever has a contact, by its keyed hash. Nobody has to: the slot of a contact that is unknown is like others.
  case reset(lookup: [UInt8])

  var purpose: CodePurpose {
    switch self {
    case .contact: .contact
    case .stepUp: .stepUp
    case .reset: .reset
    }
  }

  /// Nil where the code is whoever's the contact is.
  var user: Identifier? {
    switch self {
    case .contact(let user, _), .stepUp(let user): user
    case .reset: nil
    }
  }

  /// What its row is found by. Holds ids and keyed hashes.
  var key: [UInt8] {
    let prefix = [UInt8(purpose.rawValue)]
    switch self {
    case .contact(let user, let kind): return prefix + user.rawValue.bigEndianBytes + [UInt8(kind)]
    case .stepUp(let user): return prefix + user.rawValue.bigEndianBytes
    case .reset(let lookup): return prefix + lookup
    }
  }
}

/// Makes the texts of codes, from a key of the server's and what identifies the code. So they are stored nowhere: when
/// a code is sent and when it is checked, it is made again.
struct CodeMaker: Sendable {
  private static let digits = 6
  private static let resetLength = 20
  private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

  let key: SecretKey

  /// The code of a slot that has this id; each one sent has an id of its own.
  func text(_ purpose: CodePurpose, slot: [UInt8], id: Identifier) -> String {
    let hash = Hash.blake2b(slot + id.rawValue.bigEndianBytes, key: key)
    guard purpose == .reset else {
      // 2^64 is no multiple of a million; some codes are likelier than others by one part in 10^13.
      let number = UInt64(bitPattern: Int64(bigEndian: hash[..<8])) % 1_000_000
      let text = String(number)
      return String(repeating: "0", count: Self.digits - text.count) + text
    }
    // Each octet's lower 5 bits are as random as all of it.
    return String(hash.prefix(Self.resetLength).map { Self.alphabet[Int($0 & 31)] })
  }
}
