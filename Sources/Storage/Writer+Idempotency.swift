public import Base

extension Writer {
  /// Runs `body` once per key: the reply is stored in this transaction, and a repeated request gets the stored one.
  ///
  /// A refusal (whatever `body` throws) is not stored: a retry is judged afresh.
  /// - Parameters:
  ///   - hash: of the whole request; 16 bytes of a cryptographic hash are enough.
  ///   - now: kept with the row, for sweeping old ones.
  ///   - body: checks and effects; returns the encoded reply.
  /// - Returns: the encoded reply, and whether it is a stored one.
  /// - Throws: `IdempotencyError.requestIDReused`, or what `body` throws.
  public func once(
    _ key: RequestKey, hash: [UInt8], now: Instant, _ body: () throws -> [UInt8]
  ) throws -> (reply: [UInt8], isReplay: Bool) {
    if let reply = try storedReply(for: key, hash: hash) { return (reply, true) }
    let reply = try body()
    try storeReply(reply, for: key, hash: hash, now: now)
    return (reply, false)
  }

  /// The reply that was stored under `key`, or nil if the request is new.
  /// - Throws: `IdempotencyError.requestIDReused` if it was stored for another request.
  public func storedReply(for key: RequestKey, hash: [UInt8]) throws -> [UInt8]? {
    let stored: (hash: [UInt8], reply: [UInt8])? = try first(
      "SELECT hash, reply FROM octet_requests WHERE request_id = $1 AND caller = $2 AND method = $3",
      key.requestID, key.caller, key.methodHash
    ) { ($0[0], $0[1]) }
    guard let stored else { return nil }
    guard stored.hash == hash else { throw IdempotencyError.requestIDReused }
    return stored.reply
  }

  /// Stores the reply of a new request.
  /// - Throws: `RetryTransaction` if the same request is being served elsewhere and was faster; the engine then runs
  ///   the body again, which finds the other's reply.
  public func storeReply(_ reply: [UInt8], for key: RequestKey, hash: [UInt8], now: Instant) throws {
    let stored = try execute(
      """
      INSERT INTO octet_requests (request_id, caller, method, hash, reply, created_at)
      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
      """, key.requestID, key.caller, key.methodHash, hash, reply, now)
    if stored == 0 { throw RetryTransaction() }
  }
}
