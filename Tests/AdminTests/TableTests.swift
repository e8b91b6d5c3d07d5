import AdminAPI
import Base
import DomainKit
import OctetTypes
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Admin

@Suite struct TableTests {
  private static func price(_ cents: Int64) -> [String: TypedValue] {
    ["price": .money(minorUnits: cents, currencyCode: "EUR")]
  }

  private static let overlap = Refusal(.failedPrecondition, "TABLE_OVERLAP")
  private static let inForce = Refusal(.failedPrecondition, "ROW_IN_FORCE")

  @Test func `acceptance 15: at a row's end the next one is in force, and what overlaps is refused`() async throws {
    let world = try await AdminWorld()
    let start = world.clock.now()
    let (may, june) = (start + .seconds(1000), start + .seconds(2000))
    let first = try await world.menu("margherita", to: may, Self.price(800))
    let second = try await world.menu("margherita", from: may, to: june, Self.price(900))
    #expect(first.id.hasPrefix("trow_") && first.fromTime == Timestamp(start) && first.etag == "1")
    let found: [(Instant, Int64?)] = [
      (start - .nanoseconds(1), nil), (start, 800), (may - .nanoseconds(1), 800), (may, 900),
      (june - .nanoseconds(1), 900), (june, nil),
    ]
    for (instant, cents) in found {
      #expect(try await world.lookUp("margherita", at: instant)?[Pizza.price].minorUnits == cents)
    }
    let row = try #require(try await world.lookUp("margherita", at: may))
    #expect(row.id.text(kind: "trow") == second.id && row[Pizza.minutes] == 12 && !row[Pizza.isVegan])
    #expect(row.from == may && row.to == june)
    for (from, to) in [
      (start, may), (start, june), (may - .seconds(1), may + .nanoseconds(1)), (june - .nanoseconds(1), nil),
      (may + .seconds(1), may + .seconds(2)),
    ] {
      let error = await failure { try await world.menu("margherita", from: from, to: to) }
      #expect(error.refusal == Self.overlap)
    }
    _ = try await world.menu("margherita", from: june)
    _ = try await world.menu("marinara", from: may, to: june)
    #expect(try await world.violations.isEmpty)
    await world.database.close()
  }

  @Test func `a row in force only ends, one that has ended stays, one to come can be changed and withdrawn`()
    async throws
  {
    let world = try await AdminWorld()
    let start = world.clock.now()
    let open = try await world.menu("funghi", Self.price(950))
    world.clock.advance(by: .seconds(10))
    func change(
      from: Instant? = nil, to: Instant? = nil, _ values: [String: TypedValue] = [:], etag: String = "1"
    ) async -> Refusal? {
      await refusal { try await world.menu("", from: from, to: to, values, row: open.id, etag: etag) }
    }
    #expect(await change(to: start + .seconds(20), Self.price(1)) == Self.inForce)
    #expect(await change(from: start + .seconds(11), to: start + .seconds(20)) == Self.inForce)
    #expect(await change(to: start + .seconds(9)) == Refusal(.invalidArgument, "INVALID_REQUEST"))
    #expect(await change(to: start + .seconds(20), etag: "7") == Refusal(.aborted, "ETAG_MISMATCH"))
    // What is given as it is, is no change.
    #expect(await change(from: start, to: start + .seconds(20), open.values.compactMapValues(\.typed)) == nil)
    #expect(await change(to: start + .seconds(30), etag: "2") == Self.inForce)
    #expect(await change(etag: "2") == Self.inForce)
    #expect(await change(to: start + .seconds(15), etag: "2") == nil)
    #expect(try await world.lookUp("funghi", at: start + .seconds(15)) == nil)
    // The time after its end is free for another, which can still be changed.
    let next = try await world.menu("funghi", from: start + .seconds(15), Self.price(990))
    let moved = try await world.menu(
      "funghi", from: start + .seconds(40), to: start + .seconds(50), row: next.id, etag: "1")
    #expect(moved.values == next.values && moved.etag == "2" && moved.fromTime == Timestamp(start + .seconds(40)))
    #expect(
      await refusal { try await world.menu("", from: start + .seconds(12), row: next.id, etag: "2") } == Self.overlap)
    world.clock.advance(by: .seconds(5))
    #expect(await change(to: start + .seconds(15), etag: "3") == Self.inForce)
    let withdrawn = try await world.menu("", to: start + .seconds(40), row: next.id, etag: "2")
    #expect(withdrawn.fromTime == withdrawn.toTime)
    #expect(try await world.lookUp("funghi", at: start + .seconds(40)) == nil)
    await expectRefusal(.notFound, "NOT_FOUND") { try await world.menu("", row: next.id, etag: "2") }
    let past = await badFields { try await world.menu("funghi", from: start + .seconds(14), to: start + .seconds(15)) }
    #expect(past == ["from_time"])
    #expect(world.trail.done.allSatisfy { $0.action.text == "table.put" })
    #expect(world.trail.done.last?.object?.text == next.id)
    await world.database.close()
  }

  @Test func `invariant 13: of many who put overlapping rows at once one succeeds`() async throws {
    let world = try await AdminWorld()
    let start = world.clock.now()
    for round in 0..<5 {
      let from = start + .seconds(100 * (round + 1))
      let refusals = await withTaskGroup(of: Refusal?.self) { group in
        for number in 0..<12 {
          // All of them hold the tenth second in common.
          let (first, last) = (from + .seconds(number % 9), from + .seconds(10 + number))
          group.addTask { await refusal { try await world.menu("quattro", from: first, to: last) } }
        }
        return await group.reduce(into: [Refusal?]()) { $0.append($1) }
      }
      #expect(refusals.filter { $0 == nil }.count == 1)
      #expect(refusals.compactMap { $0 }.allSatisfy { $0 == Self.overlap })
    }
    #expect(try await world.violations.isEmpty)
    // One row moves to where the others' race puts theirs.
    let mover = try await world.menu("quattro", from: start + .seconds(5000), to: start + .seconds(5010))
    let (first, last) = (start + .seconds(6000), start + .seconds(6010))
    async let moved = refusal { try await world.menu("", from: first, to: last, row: mover.id, etag: "1") }
    async let put = refusal { try await world.menu("quattro", from: first, to: last) }
    #expect(await [moved, put].filter { $0 == nil }.count == 1)
    #expect(try await world.violations.isEmpty)
    // The check finds what no call can make.
    _ = try await world.database.write {
      try $0.execute("UPDATE admin_table_rows SET to_at = $1", Instant(nanoseconds: .max))
    }
    #expect(try await world.violations.count >= 5)
    await world.database.close()
  }

  @Test func `values must fit the columns, and rows are listed by key and beginning`() async throws {
    let world = try await AdminWorld()
    let start = world.clock.now()
    let bad = await badFields {
      try await world.menu(
        "", to: start - .seconds(1),
        [
          "minutes": .integer(61), "is_vegan": .integer(1), "price": .money(minorUnits: -1, currencyCode: "EUR"),
          "size": .text("L"),
        ])
    }
    #expect(bad == ["key", "values.is_vegan", "values.minutes", "values.price", "values"])
    #expect(await badFields { try await world.menu("calzone", to: start) } == ["to_time"])
    for key in ["b", "a", "c"] {
      for number in [2, 1] {
        _ = try await world.menu(
          key, from: start + .seconds(number * 10), to: start + .seconds(number * 10 + 10), ["minutes": .integer(9)])
      }
    }
    func list(_ change: (inout ListTableRowsRequest) -> Void = { _ in }) async throws -> [String] {
      var request = ListTableRowsRequest()
      (request.table, request.pageSize) = (Pizza.menu.name, 2)
      change(&request)
      var names: [String] = []
      repeat {
        let page = try await world.client().listTableRows(request)
        #expect(page.tables.map(\.name) == [Pizza.menu.name])
        names += page.rows.map { "\($0.key)\((($0.fromTime?.seconds ?? 0) - start.milliseconds / 1000) / 10)" }
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      return names
    }
    #expect(try await list() == ["a1", "a2", "b1", "b2", "c1", "c2"])
    #expect(try await list { $0.key = "b" } == ["b1", "b2"])
    #expect(try await list { $0.atTime = Timestamp(start + .seconds(20)) } == ["a2", "b2", "c2"])
    await expectRefusal(.notFound, "NOT_FOUND") { try await list { $0.table = "pizza.oven" } }
    let described = try await world.client().listTableRows(ListTableRowsRequest()).tables
    #expect(described.map(\.name) == ["admin.node_rates", "pizza.menu"])
    #expect(described.last?.columns.map(\.name) == ["price", "minutes", "is_vegan"])
    #expect(described.last?.columns[1].maximum == 60)
    await world.database.close()
  }
}
