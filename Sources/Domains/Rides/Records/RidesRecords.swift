import Base
import ChatAPI
import DomainKit
import ProtobufRuntime
import RidesAPI
import Storage
import Streaming
import WellKnownTypes

/// What rides keep about people: where riders were taken, and who the drivers are. Sums, receipts and the numbers that
/// they are computed from stay, without places and names.
///
/// Events of rides and of their chats are gone by themselves: a topic is removed a week after its ride, and an account
/// waits for longer than that.
struct RidesRecords: PersonalRecords {
  let core: RidesCore
  let name = RidesDomain.name

  /// Points of a trail that one transaction erases.
  private static let erasedAtOnce = 256

  func blockers(of user: Identifier, in writer: any Writer) throws -> [String] {
    var blockers: Set<String> = []
    let rider: [RideState] = try writer.rows(
      "SELECT state FROM rides_rides WHERE rider_id = $1 AND (is_live = 1 OR state IN ($2, $3))", user,
      RideState.completed.rawValue, RideState.paymentDue.rawValue
    ) { RideState(rawValue: $0[0]) }
    for state in rider { blockers.insert(state.isLive ? "open_ride" : "unpaid_ride") }
    if let driver = try writer.driver(ofUser: user) {
      let isDriving = try writer.exists(
        "SELECT 1 FROM rides_rides WHERE driver_id = $1 AND state IN (5, 6, 7, 8) LIMIT 1", driver.id)
      if isDriving { blockers.insert("open_ride") }
      if try writer.presence(of: driver.id).map({ $0.state != .offline }) ?? false { blockers.insert("at_work") }
    }
    return blockers.sorted()
  }

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    if let driver = try writer.driver(ofUser: user) { try erase(driver, in: writer) }
    // A quote that has been erased is nobody's any more, which tells where to go on.
    let next: (ride: Identifier, quote: Identifier)? = try writer.first(
      """
      SELECT r.id, q.id FROM rides_rides r JOIN rides_quotes q ON q.id = r.quote_id
      WHERE r.rider_id = $1 AND q.user_id = $1 ORDER BY r.id LIMIT 1
      """, user
    ) { ($0[0], $0[1]) }
    guard let next else { return false }
    let points = try writer.execute(
      """
      DELETE FROM rides_trail WHERE ride_id = $1 AND (epoch, sequence) IN (
        SELECT epoch, sequence FROM rides_trail WHERE ride_id = $1 ORDER BY epoch, sequence LIMIT $2)
      """, next.ride, Self.erasedAtOnce)
    if points == Self.erasedAtOnce { return true }
    guard var quote = try writer.quote(next.quote)?.quote else { return false }
    quote.stops = []
    try writer.send("UPDATE rides_quotes SET user_id = 0, body = $2 WHERE id = $1", next.quote, quote.encoded())
    try writer.send("UPDATE rides_rides SET note = '' WHERE id = $1", next.ride)
    return true
  }

  private func erase(_ driver: DriverRecord, in writer: any Writer) throws {
    try writer.send(
      "UPDATE rides_drivers SET display_name = '', note = '', state = $2 WHERE id = $1", driver.id,
      DriverState.suspended.rawValue)
    let vehicles: [Identifier] = try writer.rows(
      "SELECT id FROM rides_vehicles WHERE owner_id = $1 ORDER BY id", driver.id
    ) { $0[0] }
    for vehicle in vehicles {
      // A plate is unique, and so is what takes its place.
      try writer.send(
        "UPDATE rides_vehicles SET plate = $2, model = '', color = '', driver_id = NULL WHERE id = $1", vehicle,
        vehicle.text(kind: IDKind.vehicle))
    }
    for table in ["documents", "positions", "sessions"] {
      try writer.send("DELETE FROM rides_\(table) WHERE driver_id = $1", driver.id)
    }
    try core.kit.hub.compact(core.driverTopic(driver.id), before: core.now + .seconds(1), in: writer)
    try core.kit.hub.end(core.driverTopic(driver.id), in: writer)
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    let json = try ExportJSON([ChatAPIDescriptors.serializedFileDescriptorSet] + RidesDomain.descriptors)
    let driver = try reader.driver(ofUser: user)
    if let driver { try json.write(try reader.fullDriver(driver, now: core.now), to: record) }
    try forEachRide("rider_id", user, reader) { ride in
      try json.write(try reader.view(of: ride), to: record)
      if let receipt = ride.receipt { try json.write(try Receipt(decoding: receipt), to: record) }
      try exportTrail(of: ride, reader) { try json.write($0, to: record) }
    }
    guard let driver else { return }
    try forEachRide("driver_id", driver.id, reader) { ride in
      var view = try reader.view(of: ride)
      // Where the rider went is the rider's.
      view.stops = []
      try json.write(view, to: record)
    }
  }

  private func forEachRide(
    _ column: StaticString, _ id: Identifier, _ reader: any Reader, _ body: (RideRecord) throws -> Void
  ) throws {
    var last = Identifier(rawValue: 0)
    while true {
      let rides = try reader.rows(
        "SELECT \(RideRecord.columns) FROM rides_rides WHERE \(column) = $1 AND id > $2 ORDER BY id LIMIT 100", id,
        last,
        make: RideRecord.init(row:))
      guard let end = rides.last else { return }
      last = end.id
      for ride in rides { try body(ride) }
    }
  }

  private func exportTrail(
    of ride: RideRecord, _ reader: any Reader, _ body: (ExportedTrackPoint) throws -> Void
  ) throws {
    for point in try reader.trail(of: ride.id, epoch: ride.epoch, from: Instant(nanoseconds: .min)) {
      var message = ExportedTrackPoint()
      message.rideID = ride.id.text(kind: IDKind.ride)
      message.time = Timestamp(point.time)
      message.place = point.coordinate.message
      message.accuracyM = point.accuracyMetres
      try body(message)
    }
  }
}
