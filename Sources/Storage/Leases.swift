public import Base

/// The right to do something alone for a while, among all nodes that share the database.
public struct Lease: Sendable, Equatable {
  /// What it is for, e.g. `outbox/mail`.
  public let name: String

  /// Rises with every new holder. A system outside that keeps the highest it has seen can refuse a late holder.
  public let fence: Int64

  /// Until when nobody else gets it.
  public let expiresAt: Instant
}

/// The lease is over by the clock, was given back or has gone to somebody else; nothing was written.
public struct LeaseLost: Error, Sendable, Equatable {
  public let name: String
}

/// Leases with fencing tokens. Whatever a holder writes goes through `write`, which confirms the lease in the same
/// transaction: a late holder cannot write, whether or not somebody else has taken the lease meanwhile. The end of a lease
/// was set by its holder's clock, and is judged by the same one; the fence guards against clocks that differ. Safe to share
/// between threads.
public final class Leases: Sendable {
  private let database: any Database
  private let clock: any WallClock
  /// By which its leases are told from those of others.
  let holder: String

  /// - Parameter random: makes the name by which this object recognises its own leases; another object, also in the
  ///   same process, is another holder.
  public init(database: any Database, clock: any WallClock, random: any RandomSource) {
    self.database = database
    self.clock = clock
    holder = String(random.next(), radix: 16)
  }

  /// Takes a lease that is free, has expired or is ours already, for `duration` from now.
  /// - Returns: nil if somebody else has it.
  public func acquire(_ name: String, for duration: Duration) async throws -> Lease? {
    let (clock, holder) = (clock, holder)
    // Looked at first: those who wait for somebody's lease to end need not write.
    let isTaken = try await database.read { reader in
      try reader.exists(
        "SELECT 1 FROM octet_leases WHERE name = $1 AND holder <> $2 AND expires_at > $3", name, holder, clock.now())
    }
    if isTaken { return nil }
    return try await database.write { writer in
      try Self.acquire(name, by: holder, for: duration, from: clock.now(), in: writer)
    }
  }

  /// Takes a lease in the caller's transaction, for somebody else than this process: a user, say. It is free, has expired
  /// or is the holder's already; the fence rises unless it is still the holder's.
  /// - Returns: nil if another holder has it.
  public static func acquire(
    _ name: String, by holder: String, for duration: Duration, from now: Instant, in writer: any Writer
  ) throws -> Lease? {
    // The fence follows the clock, so that it rises even when `LeaseSweep` has removed the row.
    let fence: Int64? = try writer.first(
      """
      INSERT INTO octet_leases (name, holder, fence, expires_at) VALUES ($1, $2, $3, $4)
      ON CONFLICT (name) DO UPDATE SET
        fence = CASE WHEN octet_leases.holder = excluded.holder AND octet_leases.expires_at > excluded.fence
          THEN octet_leases.fence
          WHEN octet_leases.fence < excluded.fence THEN excluded.fence ELSE octet_leases.fence + 1 END,
        holder = excluded.holder, expires_at = excluded.expires_at
      WHERE octet_leases.holder = excluded.holder OR octet_leases.expires_at <= excluded.fence
      RETURNING fence
      """, name, holder, now, now + duration
    ) { $0[0] }
    return fence.map { Lease(name: name, fence: $0, expiresAt: now + duration) }
  }

  /// Prolongs a lease that is not over from now. One that is over has to be acquired anew.
  /// - Throws: `LeaseLost`.
  public func renew(_ lease: Lease, for duration: Duration) async throws -> Lease {
    let clock = clock
    return try await database.write { writer in
      guard let renewed = try Self.renew(lease, for: duration, from: clock.now(), in: writer) else {
        throw LeaseLost(name: lease.name)
      }
      return renewed
    }
  }

  /// Prolongs a lease that is not over.
  /// - Returns: nil if it is.
  static func renew(
    _ lease: Lease, for duration: Duration, from now: Instant, in writer: any Writer
  ) throws -> Lease? {
    let renewed = try writer.execute(
      "UPDATE octet_leases SET expires_at = $4 WHERE name = $1 AND fence = $2 AND expires_at > $3", lease.name,
      lease.fence, now, now + duration)
    return renewed == 1 ? Lease(name: lease.name, fence: lease.fence, expiresAt: now + duration) : nil
  }

  /// Gives a lease back, so that others need not wait for its end. Does nothing if it is lost already.
  public func release(_ lease: Lease) async throws {
    try await database.write { try Self.release(lease.name, fence: lease.fence, in: $0) }
  }

  /// Gives a lease back in the caller's transaction. Does nothing if it is lost already.
  public static func release(_ name: String, fence: Int64, in writer: any Writer) throws {
    // The row stays until `LeaseSweep` removes it, so that the fence goes on.
    try writer.send("UPDATE octet_leases SET expires_at = 0 WHERE name = $1 AND fence = $2", name, fence)
  }

  /// A transaction that commits only if the lease is still held: until the commit nobody else can take it.
  /// - Throws: `LeaseLost`, or what `body` throws, or `StorageError`.
  @discardableResult
  public func write<Result: Sendable>(
    under lease: Lease, _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result {
    let clock = clock
    return try await database.write { writer in
      try Self.confirm(lease, by: clock, in: writer)
      return try body(writer)
    }
  }

  /// Makes sure that a lease is still held, and that nobody else can take it before this transaction commits. Any number
  /// of transactions may hold on to one lease at the same time.
  /// - Parameter clock: of the node that acquired it.
  /// - Throws: `LeaseLost`.
  public static func confirm(_ lease: Lease, by clock: any WallClock, in writer: any Writer) throws {
    let end: Instant? = try writer.first(
      "SELECT expires_at FROM octet_leases WHERE name = $1 AND fence = $2\(writer.dialect.forShare)", lease.name,
      lease.fence
    ) { $0[0] }
    // Judged after the row is held: to get it may have taken a while.
    guard let end, clock.now() < end else { throw LeaseLost(name: lease.name) }
  }
}
