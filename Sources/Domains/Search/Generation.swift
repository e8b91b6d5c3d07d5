import Base
import Storage

/// One index of all things. One is searched; another one may be built beside it.
struct Generation {
  enum State: Int64 {
    case live = 1
    case building = 2
    case dropped = 3
  }

  let number: Int64
  let state: State
  /// The prefixes of the kinds that it was built with.
  let kinds: Set<String>
  let startedAt: Instant
  let liveAt: Instant?
  /// How far it was built: the kind, and the last thing of it. Nil when all was looked at.
  let kind: String?
  let after: Int64
  let lookedAt: Int64

  /// Held shared by whoever writes what is found, and alone by whoever changes which generations there are: so each
  /// writer knows all that it has to write to.
  static let lock: StaticString = "search generations"

  private static let columns = "generation, state, kinds, started_at, live_at, kind, after, looked_at"

  private init(_ row: any Row) {
    number = row[0]
    state = State(rawValue: row[1]) ?? .dropped
    let text: String = row[2]
    kinds = Set(text.split(separator: ",").map(String.init))
    startedAt = row[3]
    liveAt = row[4]
    kind = row[5]
    after = row[6]
    lookedAt = row[7]
  }

  static func all(in reader: any Reader) throws -> [Generation] {
    try reader.rows("SELECT \(columns) FROM search_generations ORDER BY generation") { Generation($0) }
  }

  /// The one that is searched.
  static func live(in reader: any Reader) throws -> Generation {
    guard let live = try all(in: reader).first(where: { $0.state == .live }) else {
      throw StorageError(.schemaMismatch, operation: "search", message: "search_generations has none that is live")
    }
    return live
  }

  static func begin(kinds: Set<String>, now: Instant, in writer: any Writer) throws -> Int64 {
    let number = (try all(in: writer).last?.number ?? 0) + 1
    try writer.execute(
      """
      INSERT INTO search_generations (generation, state, kinds, started_at, live_at, kind, after, looked_at)
      VALUES ($1, $2, $3, $4, NULL, $5, 0, 0)
      """, number, State.building.rawValue, kinds.sorted().joined(separator: ","), now, kinds.min())
    return number
  }

  /// Notes how far it was built.
  func advance(to kind: String?, after: Int64, lookedAt: Int64, in writer: any Writer) throws {
    try writer.execute(
      "UPDATE search_generations SET kind = $2, after = $3, looked_at = $4 WHERE generation = $1", number, kind, after,
      lookedAt)
  }

  /// Makes it the one that is searched.
  func goLive(now: Instant, in writer: any Writer) throws {
    try writer.execute(
      "UPDATE search_generations SET state = $1 WHERE state = $2", State.dropped.rawValue, State.live.rawValue)
    try writer.execute(
      "UPDATE search_generations SET state = $2, live_at = $3 WHERE generation = $1", number, State.live.rawValue, now)
  }
}
