import Base
import Cryptography
import Storage

/// Seals the stored replies of one caller, each for its own request.
struct ReplyVault {
  private let key: SealingKey?
  private let context: [UInt8]

  /// A reply to a client without an account stays open, also if somebody is signed in: its repeat may come without.
  init(_ scope: RequestScope, _ key: SealingKey?, _ request: RequestKey) {
    if case .caller = scope { self.key = key } else { self.key = nil }
    context = request.caller.rawValue.bigEndianBytes + request.requestID
  }

  func seal(_ reply: [UInt8]) -> [UInt8] {
    key?.seal(reply, context: context) ?? reply
  }

  /// - Throws: `CryptographyError` for a reply that was not sealed with this key for this request.
  func open(_ stored: [UInt8]) throws(CryptographyError) -> [UInt8] {
    guard let key else { return stored }
    return try key.open(stored, context: context)
  }
}
