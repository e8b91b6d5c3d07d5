internal import Base

extension Timers {
  /// The kinds and keys of timers and jobs that can come to no end: nobody does their kind, their attempts are used up
  /// though they were not given up, or somebody holds them for longer than a lease goes.
  /// - Parameter limit: how many are named at most.
  public func endless(limit: Int, in reader: any Reader) throws -> [String] {
    let kinds: [String] = try reader.rows("SELECT DISTINCT kind FROM octet_timers ORDER BY kind") { $0[0] }
    var found: [String] = []
    for kind in kinds {
      guard let registration = state.withLock({ $0.handlers[kind] }) else {
        found += try reader.rows(
          "SELECT key FROM octet_timers WHERE kind = $1 ORDER BY key LIMIT $2", kind, limit
        ) { "\(kind) \($0[0] as String)" }
        continue
      }
      // Another node's clock may go before this one's, but not by a whole lease.
      let latest = clock.now() + registration.lease * 2
      found += try reader.rows(
        """
        SELECT key FROM octet_timers
        WHERE kind = $1 AND (attempts < 0 OR attempts > $2 OR (is_leased = 1 AND (attempts = 0 OR due > $3)))
        ORDER BY key LIMIT $4
        """, kind, registration.policy.attempts, latest, limit
      ) { "\(kind) \($0[0] as String)" }
    }
    return Array(found.prefix(limit))
  }
}
