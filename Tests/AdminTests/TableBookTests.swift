import Base
import DomainKit
import OctetTypes
import ProtobufRuntime
import RPC
import Refusals
import Storage
import Testing

@testable import Admin

/// Tables as other domains have them.
@Suite struct TableBookTests {
  private static func pizza(_ key: String, _ cents: Int64, from: Instant? = nil, to: Instant? = nil) -> RowDraft {
    var price = Money()
    (price.minorUnits, price.currencyCode) = (cents, "EUR")
    var row = RowDraft(key, from: from, to: to)
    row[Pizza.price] = price
    return row
  }

  private static func put(
    _ world: AdminWorld, _ row: RowDraft, endingTheOneBefore ends: Bool = false
  ) async throws -> DatedRow {
    try await world.database.write { [tables = world.admin.tables] writer in
      try tables.put(row, of: Pizza.menu, endingTheOneBefore: ends, in: writer)
    }
  }

  private static func end(_ world: AdminWorld, _ row: DatedRow, at instant: Instant) async throws -> DatedRow {
    try await world.database.write { [tables = world.admin.tables] writer in
      try tables.end(row.id, of: Pizza.menu, at: instant, version: row.version, in: writer)
    }
  }

  @Test func `a domain puts typed rows, ends them, and is refused what staff is refused`() async throws {
    let world = try await AdminWorld()
    let start = world.clock.now()
    let row = try await Self.put(world, Self.pizza("calzone", 900))
    #expect(row.from == start && row.to == nil && row.version == 1 && row[Pizza.price].minorUnits == 900)
    #expect(row[Pizza.minutes] == 12, "the standard value")
    #expect(try await world.lookUp("calzone", at: start) == row)
    await #expect(throws: TableError.overlap(row: row.id)) {
      try await Self.put(world, Self.pizza("calzone", 950, from: start + .seconds(10)))
    }
    var bad = Self.pizza("calzone", 10_001, from: start + .seconds(10))
    bad[Pizza.minutes] = 0
    await #expect { _ = try await Self.put(world, bad) } throws: { error in
      guard case TableError.invalid(let violations) = error else { return false }
      return violations.map(\.field) == ["values.minutes", "values.price"]
    }
    await #expect(throws: TableError.self) { try await Self.put(world, Self.pizza("", 900)) }
    let ended = try await Self.end(world, row, at: start + .seconds(10))
    #expect(ended.to == start + .seconds(10) && ended.version == 2 && ended[Pizza.price] == row[Pizza.price])
    await #expect(throws: KitError.etagMismatch) { try await Self.end(world, row, at: start + .seconds(5)) }
    world.clock.advance(by: .seconds(10))
    await #expect(throws: TableError.rowInForce) { try await Self.end(world, ended, at: start + .seconds(20)) }
    await #expect(throws: TableError.self) {
      try await Self.put(world, Self.pizza("calzone", 950, from: start + .seconds(9)))
    }
    #expect(try await world.violations.isEmpty)
    await world.database.close()
  }

  @Test func `a new row can end the one before it, and no other`() async throws {
    let world = try await AdminWorld()
    let start = world.clock.now()
    let (may, june) = (start + .seconds(1000), start + .seconds(2000))
    let first = try await Self.put(world, Self.pizza("calzone", 900), endingTheOneBefore: true)
    let second = try await Self.put(world, Self.pizza("calzone", 950, from: june), endingTheOneBefore: true)
    await #expect(throws: TableError.overlap(row: second.id)) {
      try await Self.put(world, Self.pizza("calzone", 920, from: may), endingTheOneBefore: true)
    }
    #expect(try await world.lookUp("calzone", at: may)?.id == first.id, "what was refused has ended nothing")
    let between = try await Self.put(
      world, Self.pizza("calzone", 920, from: may, to: june), endingTheOneBefore: true)
    await #expect(throws: TableError.overlap(row: between.id)) {
      try await Self.put(world, Self.pizza("calzone", 930, from: may, to: june), endingTheOneBefore: true)
    }
    let rows = try await world.database.read { [tables = world.admin.tables] reader in
      try tables.rows("calzone", of: Pizza.menu, after: nil, limit: 9, in: reader)
    }
    #expect(rows.map(\.id) == [first.id, between.id, second.id])
    #expect(rows.map(\.to) == [may, june, nil] && rows.map(\.version) == [3, 1, 1])
    #expect(try await world.violations.isEmpty)
    await world.database.close()
  }

  @Test func `the rows in force are listed by key, page by page`() async throws {
    let world = try await AdminWorld()
    let start = world.clock.now()
    let end = start + .seconds(100)
    for key in ["b", "a", "d", "c"] {
      _ = try await Self.put(world, Self.pizza(key, 900, to: end))
      if key != "c" { _ = try await Self.put(world, Self.pizza(key, 990, from: end)) }
    }
    func inForce(at instant: Instant) async throws -> [String] {
      try await world.database.read { [tables = world.admin.tables] reader in
        var names: [String] = []
        var last: String?
        while true {
          let rows = try tables.rows(of: Pizza.menu, at: instant, after: last, limit: 2, in: reader)
          names += rows.map { "\($0.key)\($0[Pizza.price].minorUnits)" }
          guard let key = rows.last?.key else { return names }
          last = key
        }
      }
    }
    #expect(try await inForce(at: end - .nanoseconds(1)) == ["a900", "b900", "c900", "d900"])
    #expect(try await inForce(at: end) == ["a990", "b990", "d990"])
    #expect(try await inForce(at: start - .seconds(1)) == [])
    await world.database.close()
  }
}
