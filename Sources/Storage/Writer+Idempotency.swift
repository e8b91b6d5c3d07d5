public import Base

/// What is known of a request.
public enum RequestLookup: Sendable {
  /// It was served before, with this encoded reply.
  case stored([UInt8])
  /// It is new; its reply belongs into the slot.
  case new(RequestSlot)
}

/// Where the reply of a new request is to be stored, valid in the transaction that looked it up.
public struct RequestSlot: Sendable {
  let key: RequestKey
  let hash: [UInt8]
  let tables: [RequestTable]
}

/// The tables of idempotency rows. Their order is the order in which transactions that write two of them do so.
enum RequestTable: String, Sendable {
  case a = "octet_requests"
  case b = "octet_requests_b"
  case kept = "octet_requests_kept"

  /// The generation by its number in `octet_request_generation`.
  static func generation(_ number: Int) -> RequestTable { number == 0 ? .a : .b }
}

extension Writer {
  /// Runs `body` once per key: the reply is stored in this transaction, and a repeated request gets the stored one.
  ///
  /// A refusal (whatever `body` throws) is not stored: a retry is judged afresh.
  /// - Parameters:
  ///   - hash: of the whole request; 16 bytes of a cryptographic hash are enough.
  ///   - now: kept with the row.
  ///   - body: checks and effects; returns the encoded reply.
  /// - Returns: the encoded reply, and whether it is a stored one.
  /// - Throws: `IdempotencyError.requestIDReused`, or what `body` throws.
  public func once(
    _ key: RequestKey, hash: [UInt8], now: Instant, _ body: () throws -> [UInt8]
  ) throws -> (reply: [UInt8], isReplay: Bool) {
    switch try lookUp(key, hash: hash) {
    case .stored(let reply): return (reply, true)
    case .new(let slot):
      let reply = try serve(slot, body)
      try store(reply, in: slot, now: now)
      return (reply, false)
    }
  }

  /// Tells a repeated request from a new one, with one statement.
  /// - Parameter keeping: how long the reply of a new one is kept; nil for as long as the key says. For a key whose requests are
  ///   kept for ever but for some: all of them are looked for in all places.
  /// - Throws: `IdempotencyError.requestIDReused` if the id was used for another request.
  public func lookUp(_ key: RequestKey, hash: [UInt8], keeping: RequestKeeping? = nil) throws -> RequestLookup {
    let isKept = (keeping ?? key.keeping) == .forever
    let found = try find(key)
    if let stored = found.hash, let reply = found.reply {
      guard stored == hash else { throw IdempotencyError.requestIDReused }
      try takeStored(key)
      return .stored(reply)
    }
    let tables: [RequestTable] =
      isKept ? [.kept] : found.isTurning ? [.a, .b] : [RequestTable.generation(found.newest)]
    return .new(RequestSlot(key: key, hash: hash, tables: tables))
  }

  /// Runs what serves a new request, up to the reply that belongs into `slot`.
  ///
  /// The same request may be served elsewhere at this moment. Where each statement sees what was committed before it,
  /// `body` may then refuse because of its own request's effects: the token is spent, the seat is taken. Such a refusal
  /// is not for the caller, who asked once.
  /// - Throws: what `body` throws; `RetryTransaction` in its place if the request has been served meanwhile.
  public func serve<Result>(_ slot: RequestSlot, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch {
      // After a statement that failed nothing can be asked, and the engine knows what to do.
      if dialect == .postgreSQL, let found = try? find(slot.key), found.reply != nil { throw RetryTransaction() }
      throw error
    }
  }

  /// Makes the commit of a replay wait as that of a write does.
  ///
  /// A row shows that its transaction is committed on this server, not that a synchronous standby has it: the wait for
  /// the standby may have been cut short, or the server have been started again during it. The commit of a transaction
  /// that wrote nothing would not wait either, and the reply be given for what the next primary does not know. Taking
  /// the row writes to the log, and the wait for that is one for all that stands before it.
  private func takeStored(_ key: RequestKey) throws {
    guard dialect == .postgreSQL else { return }
    let tables: [RequestTable] = key.keeping == .forever ? [.a, .b, .kept] : [.a, .b]
    for table in tables {
      _ = try firstForUpdate(
        RequestStatements.find(in: table), key.requestID, key.caller, key.methodHash, make: { _ in true })
    }
  }

  /// Stores the reply of a new request.
  /// - Throws: `RetryTransaction` if the same request is being served elsewhere and was faster; the engine runs the body
  ///   again then, which finds the other's reply.
  public func store(_ reply: [UInt8], in slot: RequestSlot, now: Instant) throws {
    let key = slot.key
    for table in slot.tables {
      try send(
        RequestStatements.insert(into: table), key.requestID, key.caller, key.methodHash, slot.hash, reply, now,
        orElse: RetryTransaction())
    }
  }
}

extension Reader {
  fileprivate typealias FoundRequest = (newest: Int, isTurning: Bool, hash: [UInt8]?, reply: [UInt8]?)

  fileprivate func find(_ key: RequestKey) throws -> FoundRequest {
    let sql = key.keeping == .forever ? RequestStatements.lookUpKept : RequestStatements.lookUp
    // The row of the generation is always there, so there is a row also for a new request.
    let found: FoundRequest? = try first(sql, key.requestID, key.caller, key.methodHash) {
      ($0[0], $0[1], $0[2], $0[3])
    }
    guard let found else {
      throw StorageError(.schemaMismatch, operation: "look up", message: "octet_request_generation is empty")
    }
    return found
  }

  /// Whether a request was served before, so that a transaction which serves it will find its reply.
  public func hasServed(_ key: RequestKey, hash: [UInt8]) throws -> Bool { try find(key).hash == hash }

  /// Has looked at all places where a row of the request is or would be.
  package func warm(_ key: RequestKey) throws {
    _ = try find(key)
  }
}

/// The statements that each mutating call runs, made once.
enum RequestStatements {
  static let lookUp = lookUp(in: [.a, .b])
  /// All three, as the method may have kept its requests for the retention only in an earlier version.
  static let lookUpKept = lookUp(in: [.kept, .a, .b])

  static func insert(into table: RequestTable) -> String {
    switch table {
    case .a: insertA
    case .b: insertB
    case .kept: insertKept
    }
  }

  private static let insertA = makeInsert(.a)
  private static let insertB = makeInsert(.b)
  private static let insertKept = makeInsert(.kept)

  /// Only of replays, so it is made each time.
  static func find(in table: RequestTable) -> String {
    "SELECT 1 FROM \(table.rawValue) WHERE request_id = $1 AND caller = $2 AND method = $3"
  }

  private static func makeInsert(_ table: RequestTable) -> String {
    """
    INSERT INTO \(table.rawValue) (request_id, caller, method, hash, reply, created_at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
    """
  }

  private static func lookUp(in tables: [RequestTable]) -> String {
    let rows = tables.map {
      "SELECT hash, reply FROM \($0.rawValue) WHERE request_id = $1 AND caller = $2 AND method = $3"
    }
    return """
      SELECT g.newest, g.is_turning, r.hash, r.reply FROM octet_request_generation g
      LEFT JOIN (\(rows.joined(separator: " UNION ALL "))) r ON 1 = 1 WHERE g.id = 1
      """
  }
}
