public import Base

/// Says which node alone does something, such as to match riders with drivers in a city. A lease is held for a while and
/// renewed by being taken again; its fence lets a late owner's writes be refused.
public struct Leases: Sendable {
  private let node: Int
  private let clock: any WallClock

  public init(node: Int, clock: any WallClock) {
    self.node = node
    self.clock = clock
  }

  /// Takes a lease, or prolongs the one that this node has.
  /// - Returns: the fence, which stays the same while the owner does; nil if another node has the lease.
  public func take(_ name: String, for duration: Duration, in writer: any Writer) throws -> Int64? {
    let now = clock.now()
    return try writer.first(
      """
      INSERT INTO octet_leases (name, owner, fence, expires_at) VALUES ($1, $2, 1, $3)
      ON CONFLICT (name) DO UPDATE SET
        fence = CASE WHEN octet_leases.owner = excluded.owner THEN octet_leases.fence ELSE octet_leases.fence + 1 END,
        owner = excluded.owner, expires_at = excluded.expires_at
      WHERE octet_leases.owner = excluded.owner OR octet_leases.expires_at <= $4
      RETURNING fence
      """, name, node, now + duration, now
    ) { $0[0] }
  }

  /// Whether this node still owns the lease with that fence. Holds until the end of the transaction.
  public func holds(_ name: String, fence: Int64, in writer: any Writer) throws -> Bool {
    let found: (owner: Int, fence: Int64)? = try writer.firstForUpdate(
      "SELECT owner, fence FROM octet_leases WHERE name = $1", name
    ) { ($0[0], $0[1]) }
    return found.map { $0 == (node, fence) } ?? false
  }

  /// Who has a lease now; nil if nobody has.
  public func owner(_ name: String, in reader: any Reader) throws -> Int? {
    try reader.first(
      "SELECT owner FROM octet_leases WHERE name = $1 AND expires_at > $2", name, clock.now()
    ) { $0[0] }
  }

  /// Gives a lease back, if this node has it.
  public func release(_ name: String, in writer: any Writer) throws {
    try writer.execute(
      "UPDATE octet_leases SET expires_at = $3 WHERE name = $1 AND owner = $2", name, node, clock.now())
  }
}
