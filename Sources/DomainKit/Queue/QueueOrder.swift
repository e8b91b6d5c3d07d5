import Base
import Cryptography

/// The order in which a queue admits: the lobby by HMAC-SHA-256(secret, printed id of the entry), lower first; then those
/// who came later, in the order in which they came. Whoever has the secret can compute it again.
public struct QueueOrder: Sendable {
  /// The prefix of the printed ids of entries.
  public static let idKind = "qe"

  private let secret: SecretKey

  /// - Parameter secret: of the queue.
  public init(secret: [UInt8]) {
    self.secret = SecretKey(secret)
  }

  /// By what a place is ordered among all of its queue.
  public func key(of place: QueuePlace) -> Key {
    guard place.isLobby else { return Key(high: 0, low: UInt64(place.sequence), isLater: true, entry: place.entry) }
    let code = Hash.hmacSHA256(Array(place.entry.text(kind: Self.idKind).utf8), key: secret)
    return Key(
      high: UInt64(bitPattern: Int64(bigEndian: code[..<8])), low: UInt64(bitPattern: Int64(bigEndian: code[8..<16])),
      isLater: false, entry: place.entry)
  }

  /// The first half of the code, which two of a thousand million entries share with a chance of one in 10²⁰.
  public struct Key: Sendable, Hashable, Comparable {
    let high: UInt64
    let low: UInt64
    let isLater: Bool
    let entry: Identifier

    public static func < (a: Key, b: Key) -> Bool {
      if a.isLater != b.isLater { return b.isLater }
      return (a.high, a.low, a.entry) < (b.high, b.low, b.entry)
    }
  }
}
