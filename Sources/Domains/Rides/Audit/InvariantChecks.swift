import Base
import DomainKit
import OctetTypes
import ProtobufRuntime
import RidesAPI
import Storage

extension Reader {
  /// How many events of rides there are: each change of a ride raises its version, and is one event.
  func rideEvents() throws -> Int64 {
    try first("SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM rides_rides") { $0[0] } ?? 0
  }

  /// Checks what the stored rides can show of the invariants of rides.
  func checkInvariants() throws -> [InvariantCheck] {
    let rides: Int64 = try first("SELECT COUNT(*) FROM rides_rides") { $0[0] } ?? 0
    let receipts = try checkReceipts()
    return [
      InvariantCheck(
        1, "a rider has one live ride at most, a driver one live journey, a ride one accepted offer", checked: rides,
        violations: try manyLiveRides()),
      InvariantCheck(
        2, "the driver of a ride is that of its accepted offer, and is EN_ROUTE or ON_TRIP with it", checked: rides,
        violations: try driversElsewhere()),
      InvariantCheck(
        5, "the lines of a receipt sum to its total, and computing it again gives the same bytes",
        checked: receipts.checked, violations: receipts.wrong),
      InvariantCheck(
        6, "cash + due = total, and total = earnings + commission + tax + tolls", checked: receipts.checked,
        violations: try receipts.unbalanced + wrongPayments()),
      InvariantCheck(
        7, "no hold of a finished ride is unresolved: there is none, as all rides are paid in cash", checked: rides,
        violations: try ids("SELECT id FROM rides_rides WHERE method <> 1 ORDER BY id")),
      InvariantCheck(
        8, "the PIN of a ride is tried five times at most", checked: rides,
        violations: try ids("SELECT id FROM rides_rides WHERE pin_tries > 5 ORDER BY id")),
    ]
  }

  private func ids(_ sql: String) throws -> [Identifier] {
    try rows(sql) { $0[0] }
  }

  private func manyLiveRides() throws -> [Identifier] {
    try ids(
      """
      SELECT MIN(id) FROM rides_rides WHERE is_live = 1 GROUP BY rider_id HAVING COUNT(*) > 1
      UNION SELECT MIN(id) FROM rides_rides WHERE state IN (5, 6, 7) GROUP BY driver_id HAVING COUNT(*) > 1
      UNION SELECT ride_id FROM rides_offers WHERE state = 2 GROUP BY ride_id HAVING COUNT(*) > 1
      UNION SELECT id FROM rides_rides WHERE (CASE WHEN state IN (1, 3, 4, 5, 6, 7) THEN 1 ELSE 0 END) <> is_live
      ORDER BY 1
      """)
  }

  private func driversElsewhere() throws -> [Identifier] {
    try ids(
      """
      SELECT r.id FROM rides_rides r
      LEFT JOIN rides_offers o ON o.id = r.offer_id LEFT JOIN rides_presences p ON p.driver_id = r.driver_id
      WHERE r.state IN (5, 6, 7) AND (
        o.id IS NULL OR o.state <> 2 OR o.ride_id <> r.id OR o.driver_id IS DISTINCT FROM r.driver_id
        OR o.epoch <> r.epoch OR p.ride_id IS DISTINCT FROM r.id
        OR p.state IS DISTINCT FROM (CASE WHEN r.state = 7 THEN 5 ELSE 4 END))
      UNION SELECT p.ride_id FROM rides_presences p LEFT JOIN rides_rides r ON r.id = p.ride_id
      WHERE p.state IN (4, 5) AND (r.id IS NULL OR r.driver_id IS DISTINCT FROM p.driver_id OR r.state NOT IN (5, 6, 7))
      UNION SELECT o.ride_id FROM rides_offers o JOIN rides_rides r ON r.id = o.ride_id
      WHERE o.state = 1 AND (r.state <> 4 OR r.epoch <> o.epoch)
      ORDER BY 1
      """)
  }

  private func wrongPayments() throws -> [Identifier] {
    try ids(
      """
      SELECT id FROM rides_rides
      WHERE (state = 9 AND received IS DISTINCT FROM total) OR (state = 8 AND received <> 0)
        OR (state = 10 AND (received <= 0 OR received >= total)) ORDER BY id
      """)
  }

  private func checkReceipts() throws -> (checked: Int64, wrong: [Identifier], unbalanced: [Identifier]) {
    var result = (checked: Int64(0), wrong: [Identifier](), unbalanced: [Identifier]())
    var last = Identifier(rawValue: 0)
    while true {
      let batch = try rows(
        """
        SELECT \(RideRecord.columns) FROM rides_rides WHERE id > $1 AND receipt IS NOT NULL ORDER BY id LIMIT 500
        """, last, make: RideRecord.init(row:))
      guard let end = batch.last else { return result }
      last = end.id
      for ride in batch {
        result.checked += 1
        guard let stored = ride.receipt, let receipt = try? Receipt(decoding: stored),
          let total = receipt.total?.minorUnits
        else {
          result.wrong.append(ride.id)
          continue
        }
        let sum = receipt.lines.reduce(Int64(0)) { $0 + ($1.amount?.minorUnits ?? 0) }
        if sum != total || total != ride.total || (try? recomputedReceipt(of: ride).encoded()) != stored {
          result.wrong.append(ride.id)
        }
        let parts = [receipt.driverEarnings, receipt.commission, receipt.tax, receipt.tolls]
        if parts.reduce(Int64(0), { $0 + ($1?.minorUnits ?? 0) }) != total { result.unbalanced.append(ride.id) }
      }
    }
  }
}

extension InvariantCheck {
  fileprivate init(_ number: Int, _ statement: String, checked: Int64, violations found: [Identifier]) {
    self.init(
      number: number, statement: statement, rowsChecked: Int(checked),
      violations: found.map { $0.text(kind: IDKind.ride) })
  }
}

extension InvariantReport {
  init(_ check: InvariantCheck) {
    self.init()
    number = Int32(check.number)
    statement = check.statement
    rowsChecked = Int64(check.rowsChecked)
    violations_ = Int64(check.violationCount)
    examples = check.violations
  }
}
