import DomainKit
import RPC

/// What rooms refuse. On a stream these become rows, and the stream goes on.
enum ChatError: DomainError {
  /// The author posted less than the room's interval ago.
  case slowMode(after: Duration)
  /// Too long, or nothing but white space.
  case textRefused(String)
  /// The room has closed.
  case roomClosed

  var mapping: ErrorMapping {
    switch self {
    case .slowMode(let wait):
      ErrorMapping("SLOW_MODE", .resourceExhausted, "this room is in slow mode", retryAfter: wait)
    case .textRefused(let why):
      ErrorMapping("TEXT_REFUSED", "the text is refused: \(why)")
    case .roomClosed:
      ErrorMapping("ROOM_CLOSED", "the room has closed")
    }
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [ChatError] = [.slowMode(after: .seconds(1)), .textRefused("too long"), .roomClosed]
}
