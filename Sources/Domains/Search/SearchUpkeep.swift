import DomainKit
import Storage

/// Merges segments of the indexes that are in use, and removes those that are not.
struct SearchUpkeep: Sweep {
  let core: SearchCore

  private static let rowsAtOnce = 512

  var name: String { "search" }

  /// As that of an index.
  var restFactor: Int { 1 }

  func step(_ database: any Database) async throws -> Bool {
    for generation in try await database.read({ try Generation.all(in: $0) }) {
      if generation.state == .dropped {
        if try await drop(generation.number, database) { return true }
      } else if try await core.index(generation.number).step(database) {
        return true
      }
    }
    return false
  }

  private func drop(_ generation: Int64, _ database: any Database) async throws -> Bool {
    if try await core.index(generation).dropSome(database) { return true }
    try await database.write { writer in
      let dropped = try writer.execute(
        """
        DELETE FROM search_rows WHERE generation = $1 AND document IN
        (SELECT document FROM search_rows WHERE generation = $1 ORDER BY document LIMIT $2)
        """, generation, Self.rowsAtOnce)
      if dropped == 0 { try writer.execute("DELETE FROM search_generations WHERE generation = $1", generation) }
    }
    return true
  }
}
