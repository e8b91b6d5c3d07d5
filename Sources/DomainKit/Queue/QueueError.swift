import RPC

/// Why a queue does not let somebody in, or a purchase pass.
public enum QueueError: DomainError {
  /// The lobby is not open yet.
  case notOpen(after: Duration)
  /// The queue was closed.
  case windowClosed
  /// As many wait as may.
  case full
  /// No ticket, or not one of this user for this queue.
  case admissionRequired
  /// The ticket's time is over.
  case admissionExpired

  /// How long to stay away from a queue that is full.
  private static let fullPause = Duration.seconds(10)

  public var mapping: ErrorMapping {
    switch self {
    case .notOpen(let wait):
      ErrorMapping("NOT_OPEN", .failedPrecondition, "the queue is not open yet", retryAfter: wait)
    case .windowClosed: ErrorMapping("WINDOW_CLOSED", .failedPrecondition, "it is over")
    case .full:
      ErrorMapping("QUEUE_FULL", .resourceExhausted, "as many wait as may", retryAfter: Self.fullPause)
    case .admissionRequired:
      ErrorMapping("ADMISSION_REQUIRED", .failedPrecondition, "wait in the queue for a ticket first")
    case .admissionExpired:
      ErrorMapping("ADMISSION_EXPIRED", .failedPrecondition, "the ticket's time is over; queue again")
    }
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [QueueError] = [
    .notOpen(after: .seconds(1)), .windowClosed, .full, .admissionRequired, .admissionExpired,
  ]
}
