public import Base

/// The processes that serve one database, each with a number of its own: identifiers carry it.
///
/// A number is held by a claim that is renewed while the process lives. One that was not renewed for `claimDuration` may
/// be taken by another process; the one that has been free for longest goes first.
public final class NodeRegistry: Sendable {
  /// To be applied after those of the storage layer.
  public static let migrations = [
    Migration(
      "nodes", 1, "node numbers, and what all agree on",
      sql: """
        -- reference: a thousand rows at most, which all nodes read
        CREATE TABLE octet_nodes (
          node INTEGER NOT NULL,
          claim BLOB NOT NULL,
          expires_at INTEGER NOT NULL,
          PRIMARY KEY (node)
        ) WITHOUT ROWID;

        -- What all nodes must agree on, such as the fingerprint of the root key.
        -- reference: a handful of rows, which all nodes read
        CREATE TABLE octet_installation (
          name TEXT NOT NULL,
          content BLOB NOT NULL,
          PRIMARY KEY (name)
        ) WITHOUT ROWID;
        """)
  ]

  /// How long a claim holds without being renewed. Longer than a database takes to fail over.
  public static let claimDuration = Duration.seconds(120)
  /// How often it is renewed.
  public static let renewInterval = Duration.seconds(15)
  private static let claimLength = 16

  /// 0 to 1023.
  public let node: Int
  /// That of the database when this process joined.
  public let history: DatabaseHistory
  private let claim: [UInt8]
  private let database: any Database
  private let clock: any WallClock
  private let renewal = BackgroundLoop()

  private init(
    _ node: Int, _ history: DatabaseHistory, _ claim: [UInt8], _ database: any Database, _ clock: any WallClock
  ) {
    self.node = node
    self.history = history
    self.claim = claim
    self.database = database
    self.clock = clock
  }

  /// Claims a number for this process. `start` keeps it.
  /// - Throws: `StorageError` with code `.overloaded` if all numbers are taken.
  public static func join(
    _ database: any Database, clock: any WallClock, random: any RandomSource
  ) async throws -> NodeRegistry {
    let claim = random.bytes(claimLength)
    let now = clock.now()
    let (node, history): (Int?, DatabaseHistory) = try await database.write { writer in
      let history = try DatabaseHistory.current(in: writer)
      let known = try writer.rows("SELECT node, expires_at FROM octet_nodes ORDER BY expires_at, node") {
        (node: $0[0] as Int, expiresAt: $0[1] as Instant)
      }
      let taken = Set(known.map(\.node))
      let free = (0..<IdentifierGenerator.nodes).filter { !taken.contains($0) }
      let candidates = free + known.filter { $0.expiresAt <= now }.map(\.node)
      for candidate in candidates {
        // Another process may be after the same one.
        let claimed = try writer.execute(
          """
          INSERT INTO octet_nodes (node, claim, expires_at) VALUES ($1, $2, $3) ON CONFLICT (node) DO UPDATE
          SET claim = excluded.claim, expires_at = excluded.expires_at WHERE octet_nodes.expires_at <= $4
          """, candidate, claim, now + claimDuration, now)
        if claimed == 1 { return (candidate, history) }
      }
      return (nil, history)
    }
    guard let node else {
      throw StorageError(.overloaded, operation: "join", message: "all node numbers are taken")
    }
    return NodeRegistry(node, history, claim, database, clock)
  }

  /// Begins to renew the claim.
  /// - Parameter lost: is called once if another process has taken the number over, after this one could not reach the
  ///   database for long, or if the database has begun another history, of which this one's memory is not. It must not
  ///   make another identifier then, and end.
  public func start(every interval: Duration = renewInterval, lost: @escaping @Sendable () -> Void) {
    renewal.start { [self] in
      while !renewal.isStopping {
        await renewal.pause(atMost: interval)
        // A database that cannot be reached now is asked again.
        if !renewal.isStopping, (try? await renew()) == false { return lost() }
      }
    }
  }

  /// Prolongs the claim.
  /// - Returns: false if another process has taken the number over, or the database was restored.
  public func renew() async throws -> Bool {
    let (claim, node, history, now) = (claim, node, history, clock.now())
    return try await database.write { writer in
      guard try DatabaseHistory.current(in: writer) == history else { return false }
      return try writer.execute(
        "UPDATE octet_nodes SET expires_at = $3 WHERE node = $1 AND claim = $2", node, claim, now + Self.claimDuration)
        == 1
    }
  }

  /// Gives the number back.
  public func leave() async {
    await renewal.stop()
    let (claim, node, now) = (claim, node, clock.now())
    // If it fails, the claim runs out.
    try? await database.write { writer in
      try writer.send(
        "UPDATE octet_nodes SET expires_at = $3 WHERE node = $1 AND claim = $2", node, claim, now)
    }
  }

  /// Checks that this node has what the others have, and states it if it is the first.
  /// - Returns: false if the others have something else.
  public static func agree(on name: String, _ content: [UInt8], _ database: any Database) async throws -> Bool {
    try await database.write { writer in
      try writer.send(
        "INSERT INTO octet_installation (name, content) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, content)
      return try content == agreed(on: name, in: writer)
    }
  }

  /// What the nodes of this database have agreed on; nil if none has stated it.
  static func agreed(on name: String, in reader: any Reader) throws -> [UInt8]? {
    try reader.first("SELECT content FROM octet_installation WHERE name = $1", name) { $0[0] }
  }
}
