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
          try await database.write { try shape.fill(first..<first + Int64(count), of: Int64(2 * count), $0) }
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

  @Test(arguments: Engine.all, [400, 2000]) func `requests of the past with random ids lie everywhere, however many`(
    engine: Engine, count: Int64
  ) async throws {
    try await engine.withDatabase([OrderShape.schema, TransferShape.schema]) { database in
      let shape = TransferShape(requests: .random, keeping: .forever)
      for first in stride(from: 0, to: count, by: 50) {
        try await database.write { try shape.fill(first..<first + 50, of: count, $0) }
      }
      for (table, rows) in [("octet_requests_kept", count), ("octet_requests", count / 10)] {
        let firstOctets: [UInt8] = try await database.read { reader in
          try reader.rows("SELECT request_id FROM \(table)") { ($0[0] as [UInt8])[0] }
        }
        #expect(firstOctets.count == Int(rows))
        for quarter in 0..<4 {
          let found = firstOctets.filter { Int($0) / 64 == quarter }.count
          #expect(abs(found - Int(rows) / 4) <= Int(rows) / 10, "\(table)")
        }
      }
    }
  }
}
