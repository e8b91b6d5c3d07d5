import DomainKit
import RPC

/// What rooms refuse. On a stream these become rows, and the stream goes on.
enum ChatError: DomainError {
  /// The author posted less than the room's interval ago.
  case slowMode(after: Duration)
  /// Too long, nothing but white space, or insulting.
  case textRefused(String)
  /// The author, or somebody on the same device, is banned. For how long yet; nil for ever.
  case banned(for: Duration?)
  /// The subject takes no posts now.
  case postingOff
  /// Staff who have not taken the support room, or whose time is over.
  case leaseLost
  /// The room has closed.
  case roomClosed
  /// The poll takes no answers any more.
  case pollClosed

  var mapping: ErrorMapping {
    switch self {
    case .slowMode(let wait):
      ErrorMapping("SLOW_MODE", .resourceExhausted, "this room is in slow mode", retryAfter: wait)
    case .textRefused(let why):
      ErrorMapping("TEXT_REFUSED", "the text is refused: \(why)")
    case .banned(let rest):
      ErrorMapping("BANNED", .permissionDenied, "banned from this room", retryAfter: rest)
    case .postingOff:
      ErrorMapping("POSTING_OFF", "nobody can post here now")
    case .leaseLost:
      ErrorMapping("LEASE_LOST", .aborted, "take the room first; the time with it is over, or somebody else has it")
    case .roomClosed:
      ErrorMapping("ROOM_CLOSED", "the room has closed")
    case .pollClosed:
      ErrorMapping("POLL_CLOSED", "the poll is over")
    }
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [ChatError] = [
    .slowMode(after: .seconds(1)), .textRefused("too long"), .banned(for: nil), .postingOff, .leaseLost, .roomClosed,
    .pollClosed,
  ]
}
