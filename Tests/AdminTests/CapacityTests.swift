import AdminAPI
import Base
import DomainKit
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Admin

@Suite struct CapacityTests {
  /// A part of a domain page's planned load, and the figures that the page has for it.
  struct Page: Sendable, CustomTestStringConvertible {
    let name: String
    let load: @Sendable (inout EstimateCapacityRequest) -> Void
    var perDay: String?
    let writes: String
    var reads: String?
    var bytesPerDay: Int64 = 0
    var bytesKept: Int64 = 0
    var peak: String?

    var testDescription: String { name }
  }

  private static let (kilo, mega, giga, tera): (Int64, Int64, Int64, Int64) = (
    1_000, 1_000_000, 1_000_000_000, 1_000_000_000_000
  )
  private static let threeYears: Int32 = 3 * 365

  static let pages: [Page] = [
    Page(
      name: "platform",
      load: { ($0.actors, $0.actionsPerActor, $0.bytesPerWrite, $0.daysKept) = (300 * mega, 10, 300, 90) },
      perDay: "3000000000", writes: "34722", bytesPerDay: 900 * giga, bytesKept: 81 * tera),
    Page(
      name: "pay",
      load: {
        ($0.actors, $0.actionsPerActor, $0.readsPerWrite) = (20 * mega, 5, 100)
        ($0.bytesPerWrite, $0.daysKept) = (kilo, threeYears)
      }, perDay: "100000000", writes: "1157", reads: "115741", bytesPerDay: 100 * giga, bytesKept: 109_500 * giga),
    Page(
      name: "rides",
      load: {
        ($0.actors, $0.actionsPerActor, $0.readsPerWrite) = (10 * mega, 2, 100)
        ($0.bytesPerWrite, $0.daysKept) = (kilo, threeYears)
      }, perDay: "20000000", writes: "231", reads: "23148", bytesPerDay: 20 * giga, bytesKept: 21_900 * giga),
    Page(
      name: "rides, positions", load: { ($0.actors, $0.period) = (mega, ProtoDuration(.seconds(4))) },
      writes: "250000"),
    Page(
      name: "stays", load: { ($0.actors, $0.actionsPerActor, $0.readsPerWrite) = (100 * mega, 2, 100) },
      perDay: "200000000", writes: "2315", reads: "231481"),
    Page(
      name: "stays, listings", load: { ($0.actors, $0.bytesPerWrite, $0.daysKept) = (2 * mega, 5 * kilo, threeYears) },
      writes: "23", bytesPerDay: 10 * giga, bytesKept: 10_950 * giga),
    Page(
      name: "video",
      load: {
        ($0.actors, $0.actionsPerActor, $0.bytesPerWrite, $0.daysKept) = (800 * kilo, 4, 4 * mega, 5 * 365)
      }, perDay: "3200000", writes: "37", bytesPerDay: 12_800 * giga, bytesKept: 23_360 * tera),
    Page(
      name: "shop",
      load: {
        ($0.actors, $0.actionsPerActor, $0.readsPerWrite) = (300 * mega, 2, 100)
        ($0.bytesPerWrite, $0.daysKept) = (kilo, threeYears)
      }, perDay: "600000000", writes: "6944", reads: "694444", bytesPerDay: 600 * giga, bytesKept: 657 * tera),
    Page(
      name: "shop, listings", load: { ($0.actors, $0.bytesPerWrite, $0.daysKept) = (6 * mega, kilo, threeYears) },
      writes: "69", bytesPerDay: 6 * giga, bytesKept: 6_570 * giga),
    Page(
      name: "deals",
      load: {
        ($0.actors, $0.actionsPerActor, $0.actionsRead, $0.readsPerWrite) = (10 * mega, 5, true, 50)
        ($0.bytesPerWrite, $0.daysKept, $0.decimals) = (10 * kilo, threeYears, 1)
      }, perDay: "1000000.0", writes: "11.6", reads: "578.7", bytesPerDay: 10 * giga, bytesKept: 10_950 * giga),
    Page(
      name: "contests",
      load: {
        ($0.actors, $0.actionsPerActor, $0.bytesPerWrite, $0.daysKept) = (100, kilo, 5 * mega, threeYears)
        ($0.decimals, $0.peakFactor) = (2, 100)
      }, perDay: "100000.00", writes: "1.16", bytesPerDay: 500 * giga, bytesKept: 547_500 * giga, peak: "115.74"),
    Page(
      name: "rail, record", load: { ($0.actors, $0.period) = (31_814, ProtoDuration(.seconds(60))) }, writes: "530"),
    Page(
      name: "rail, tickets", load: { ($0.actors, $0.period) = (150 * kilo, ProtoDuration(.seconds(60))) },
      writes: "2500"),
    Page(
      name: "rail, enquiries",
      load: {
        ($0.actors, $0.period, $0.actionsRead, $0.readsPerWrite) = (4 * mega, ProtoDuration(.seconds(60)), true, 1)
      }, writes: "66667", reads: "66667"),
  ]

  @Test(arguments: pages)
  func `acceptance 16: the inputs of each planned load give its figures`(page: Page) throws {
    var request = EstimateCapacityRequest()
    page.load(&request)
    let figures = try PlannedLoad(request).figures(node: (0, 0))
    if let perDay = page.perDay { #expect(figures.writesPerDay == perDay) }
    #expect(figures.writesPerSecond == page.writes)
    if let reads = page.reads { #expect(figures.readsPerSecond == reads) }
    if let peak = page.peak { #expect(figures.peakWritesPerSecond == peak) }
    #expect(figures.bytesPerDay == page.bytesPerDay && figures.bytesKept == page.bytesKept)
  }

  @Test func `reads are computed from what writes are exactly, and nodes are rounded up`() throws {
    var request = EstimateCapacityRequest()
    (request.actors, request.readsPerWrite, request.decimals) = (100_000_000, 100, 9)
    let figures = try PlannedLoad(request).figures(node: (writes: 1157, reads: 115_741))
    // 1157.407407407… a second; a hundred times the rounded one would be 115,700.
    #expect(figures.writesPerSecond == "1157.407407407" && figures.readsPerSecond == "115740.740740741")
    #expect(figures.writeNodes == 2 && figures.readNodes == 1)
    (request.actors, request.period, request.readsPerWrite, request.decimals) = (5, ProtoDuration(.seconds(2)), 1, 0)
    let half = try PlannedLoad(request).figures(node: (writes: 5, reads: 2))
    #expect(half.writesPerSecond == "3" && half.writesPerDay == "216000")
    #expect(half.writeNodes == 1 && half.readNodes == 2)
    (request.actors, request.peakFactor) = (1, 3)
    let peak = try PlannedLoad(request).figures(node: (writes: 1, reads: 0))
    #expect(
      peak.peakWritesPerSecond == "2" && peak.writesPerSecond == "1" && peak.writeNodes == 2 && peak.readNodes == 0)
  }

  @Test func `anybody may ask; nodes are reckoned by the rates that staff measured`() async throws {
    let world = try await AdminWorld()
    var request = EstimateCapacityRequest()
    (request.actors, request.readsPerWrite) = (86_400_000, 10)
    #expect(try await world.client(nil).estimateCapacity(request).writeNodes == 0)
    for (what, rate) in [("writes", Int64(300)), ("reads", 4000)] {
      var put = PutTableRowRequest()
      (put.requestID, put.table, put.key) = (newRequestID(), NodeRates.table.name, what)
      put.values = ["per_second": SettingValue(.integer(rate))]
      _ = try await world.client().putTableRow(put)
    }
    let figures = try await world.client(nil).estimateCapacity(request)
    #expect(figures.writesPerSecond == "1000" && figures.writeNodes == 4 && figures.readNodes == 3)
    request.nodeWritesPerSecond = 1000
    #expect(try await world.client(nil).estimateCapacity(request).writeNodes == 1)
    await world.database.close()
  }

  @Test func `what is out of range or does not fit is refused`() async throws {
    let world = try await AdminWorld()
    let bad: [(String, (inout EstimateCapacityRequest) -> Void)] = [
      ("actors", { $0.actors = 0 }), ("period", { $0.period = ProtoDuration(.milliseconds(1500)) }),
      ("period", { $0.period = ProtoDuration(.zero) }),
      ("period", { $0.period = ProtoDuration(.seconds(366 * 86_400 + 1)) }),
      ("reads_per_write", { $0.actionsRead = true }), ("decimals", { $0.decimals = 10 }),
    ]
    for (field, change) in bad {
      var request = EstimateCapacityRequest()
      request.actors = 1
      change(&request)
      let asked = request
      let fields = await badFields { try await world.client(nil).estimateCapacity(asked) }
      #expect(Set(fields) == [field])
    }
    var request = EstimateCapacityRequest()
    (request.actors, request.actionsPerActor, request.bytesPerWrite) = (1_000_000_000_000, 1_000_000, 1_000_000_000_000)
    await expectRefusal(.outOfRange, "AMOUNT_OVERFLOW") { [request] in
      try await world.client(nil).estimateCapacity(request)
    }
    (request.readsPerWrite, request.peakFactor, request.decimals, request.daysKept) = (1_000_000, 1_000_000, 9, 36_500)
    await expectRefusal(.outOfRange, "AMOUNT_OVERFLOW") { [request] in
      try await world.client(nil).estimateCapacity(request)
    }
    await world.database.close()
  }
}
