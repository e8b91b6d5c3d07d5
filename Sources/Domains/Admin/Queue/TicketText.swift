import Base
import Cryptography
import DomainKit

/// Tickets as clients have them: `qt1.CONTENT.PROOF`. The content is queue, entry, user and expiry in nanoseconds, 8 octets
/// each, big-endian. Equal contents give an equal text, so none is stored.
struct TicketText: Sendable {
  private static let prefix = "qt1."
  private static let contentLength = 32

  struct Content: Equatable {
    let event: Identifier
    let entry: Identifier
    let user: Identifier
    let expiresAt: Instant
  }

  private let key: SecretKey

  init(_ keys: ServerKeys) {
    key = keys.derived(for: "queue tickets 1")
  }

  func ticket(_ content: Content) -> QueueTicket {
    let numbers = [
      content.event.rawValue, content.entry.rawValue, content.user.rawValue, content.expiresAt.nanoseconds,
    ]
    let unproved = ProvedText.unproved(numbers.flatMap(\.bigEndianBytes), prefix: Self.prefix)
    return QueueTicket(text: ProvedText.proved(unproved, key: key), expiresAt: content.expiresAt)
  }

  /// Nil for what this server has not made.
  func content(_ text: String) -> Content? {
    guard let bytes = ProvedText.content(of: text, prefix: Self.prefix, key: key), bytes.count == Self.contentLength
    else { return nil }
    let numbers = stride(from: 0, to: bytes.count, by: 8).map { Int64(bigEndian: bytes[$0..<$0 + 8]) }
    return Content(
      event: Identifier(rawValue: numbers[0]), entry: Identifier(rawValue: numbers[1]),
      user: Identifier(rawValue: numbers[2]), expiresAt: Instant(nanoseconds: numbers[3]))
  }
}
