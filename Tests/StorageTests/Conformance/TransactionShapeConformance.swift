import Base
import Storage
import Testing
import TransactionShapes

/// The transactions that are measured.
@Suite struct TransactionShapeConformance {
  @Test(arguments: Engine.all) func `each fills its tables with the past, and runs`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([OrderShape.schema, TransferShape.schema]) { database in
      let random = SeededRandomSource(seed: 1)
      let (count, now) = (50, Instant(seconds: 1))
      for shape in [OrderShape(database), TransferShape()] as [any TransactionShape] {
        try await database.write { try shape.prepare($0) }
        for first in [0, Int64(count)] {
          try await database.write { try shape.fill(first..<first + Int64(count), $0) }
        }
        for _ in 0..<count { try await shape.transaction(random, now).run(on: database) }
      }
      for (table, rows) in [("orders", 3), ("items", 6), ("transfers", 3), ("entries", 6)] {
        let found: Int? = try await database.read { try $0.first("SELECT count(*) FROM bench_\(table)") { $0[0] } }
        #expect(found == rows * count, "\(table)")
      }
      let kinds: Int? = try await database.read { reader in
        try reader.first("SELECT count(DISTINCT product) FROM bench_items") { $0[0] }
      }
      #expect(kinds ?? 0 > count, "they are spread")
    }
  }
}
