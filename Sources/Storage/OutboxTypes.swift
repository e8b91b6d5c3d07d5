public import Base

/// A message for the world outside of the database.
public struct OutboxEntry: Sendable, Equatable {
  /// Rises within a channel: a transaction that began after another one had committed has the higher number. Of
  /// transactions that run at the same time, any may be first, unless they are about the same thing (`Outbox.append`).
  /// Numbers never come back, unless the database is put back to an earlier moment.
  public let id: Int64
  public let payload: [UInt8]
  public let createdAt: Instant

  /// 1 for the first attempt to deliver it.
  public let attempt: Int

  /// Of the lease under which it is delivered. It rises whenever another node takes the channel over, so a receiver
  /// that keeps the highest can refuse a node that lost its turn.
  public let fence: Int64
}

/// A message that was given up.
public struct DeadOutboxEntry: Sendable, Equatable {
  public let channel: String
  public let id: Int64
  public let payload: [UInt8]
  public let createdAt: Instant
  public let attempts: Int

  /// What the last attempt failed with, for people.
  public let error: String
  public let diedAt: Instant
}

/// Thrown by a delivery whose receiver cannot be reached at all. It is not the message's fault: the channel waits as
/// for any failure, but the attempt does not count, and no message becomes a dead letter of it.
public struct DestinationUnavailable: ExcusableError {
  public var isExcused: Bool { true }

  public init() {}
}

/// Thrown into a delivery that takes longer than its channel's lease allows.
public struct DeliveryTimeout: Error, Sendable, Equatable {}

extension RetryPolicy {
  /// For messages to the outside: ten attempts over about a quarter of an hour.
  public static var outbox: RetryPolicy {
    var policy = RetryPolicy()
    policy.attempts = 10
    policy.base = .seconds(1)
    policy.longest = .seconds(300)
    return policy
  }
}
