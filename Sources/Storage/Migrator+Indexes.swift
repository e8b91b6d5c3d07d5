/// Indexes of tables that others use. Built in a transaction, an index keeps those waiting who write to its table until all
/// rows are in it. So an engine that can builds it outside, while a transaction holds the lock on the schema and does
/// nothing else.
extension Migrator {
  /// The indexes of a step that is not applied which are of tables with rows, or which somebody has begun.
  func indexesInUse(_ migration: Migration, _ database: any Database) async throws -> [NewIndex] {
    if migration.walk != nil { return [] }
    let indexes = migration.parts.compactMap { part -> NewIndex? in
      if case .index(let index) = part { index } else { nil }
    }
    if indexes.isEmpty { return [] }
    return try await database.read { reader -> [NewIndex] in
      guard reader.dialect == .postgreSQL, try !isApplied(migration, reader) else { return [] }
      return try indexes.filter { index in
        return try reader.exists(Self.relationSQL, index.name) || reader.exists("SELECT 1 FROM \(index.table)")
      }
    }
  }

  /// Does what one transaction can do of a step.
  /// - Parameters:
  ///   - done: how many of its parts are done.
  ///   - indexes: those that must not be built in a transaction with others.
  /// - Returns: how many are done now; nil if all are.
  func advance(
    _ parts: [Migration.Part], from done: Int, _ indexes: [NewIndex], _ writer: any Writer
  ) throws -> Int? {
    try setLimits(writer)
    for (number, part) in parts.enumerated().dropFirst(done) {
      switch part {
      case .statements(let statements): for statement in statements { try writer.define(statement) }
      case .index(let index):
        if indexes.contains(index), let builder = writer as? any IndexBuilding {
          // What stands before it is committed first: it is to be seen from outside, and held by nobody.
          if number > done { return number }
          try builder.buildIndex(index)
          return number + 1 < parts.count ? number + 1 : nil
        }
        try writer.define(index.statement)
      }
    }
    return nil
  }
}
