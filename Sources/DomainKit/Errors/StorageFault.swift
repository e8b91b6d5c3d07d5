public import RPC
public import Storage

/// The disk under the database is full, has failed or has lost what was on it. Clients get a reason, the log the cause.
public struct StorageFault: DomainError, RPCFault, ExcusableError {
  /// How long a client should stay away: somebody has to see to it.
  private static let pause = Duration.seconds(30)

  private let error: StorageError

  public var cause: any Error { error }
  public var isExcused: Bool { error.isExcused }

  /// The row of the table.
  public let mapping: ErrorMapping

  /// - Returns: nil if `error` is of another kind.
  public init?(_ error: StorageError) {
    guard let mapping = Self.mapping(error.code) else { return nil }
    (self.error, self.mapping) = (error, mapping)
  }

  static func mapping(_ code: StorageError.Code) -> ErrorMapping? {
    switch code {
    case .diskFull:
      ErrorMapping(
        "STORAGE_FULL", .unavailable, "there is no room to store this; nothing was done", retryAfter: pause)
    case .ioFailure:
      // A commit may have come to the disk although that reported a failure.
      ErrorMapping(
        "STORAGE_FAILED", .unavailable, "the disk failed; a repeat with the same request_id tells whether it was done",
        retryAfter: pause)
    case .corrupt:
      ErrorMapping("STORAGE_DAMAGED", .dataLoss, "the database is damaged")
    default: nil
    }
  }
}
