import Base
import Cryptography
import DomainKit
import RidesAPI
import Storage
import Streaming

/// What all parts of rides work with: the services, the session, the matcher, the jobs. Its methods in other files
/// run inside a transaction that the caller has opened, unless they are `async`.
struct RidesCore: Sendable {
  let kit: Kit
  let jobs: Jobs
  let rooms: any Rooms
  let notices: any Notices
  let limits: RidesLimits
  let fleet: Fleet
  /// Nil if no other node serves the database: this one then matches all cities.
  let owner: CityOwner?
  let pinKey: SecretKey
  /// Where the driver of a ride is, by `trackTopic`.
  let tracks: ConflatingTopics<TrackPoint>
  /// Up to where the trail of a driver's ride is durable, by `driverTopic`.
  let durables: ConflatingTopics<Int64>
  /// The session of a driver that counts, by `driverTopic`; an older one ends.
  let sessions: ConflatingTopics<Identifier>
  /// Tells the node of a driver's session, by `driverTopic`, that another one waits for the trail.
  let wishes: ConflatingTopics<Int64>

  var now: Instant { kit.clock.now() }

  /// The zone of a city. Its name was checked when the city was founded; should its file be gone, UTC stands in.
  func timeZone(of city: CityRecord) -> TimeZoneTable {
    kit.timeZones.table(city.timeZone) ?? .utc
  }
}

extension RidesCore {
  /// The PIN of a ride in an epoch.
  func pin(of ride: Identifier, epoch: Int64) -> String {
    RidePIN.derive(ride: ride, epoch: epoch) { Hash.blake2b($0, key: pinKey) }
  }

  /// Adds the PIN to what the rider is shown, as long as it is of use.
  func reveal(_ ride: inout Ride, to user: Identifier) {
    guard ride.state.precedesStart, ride.riderID == user.text(kind: IDKind.user),
      let id = try? Identifier.parse(ride.id, kind: IDKind.ride)
    else { return }
    ride.pin = pin(of: id, epoch: ride.epoch)
  }

  /// The driver that a user is.
  /// - Throws: `RidesError.notEligible` for a user who is none.
  func requireDriver(_ user: Identifier, in reader: any Reader) throws -> DriverRecord {
    guard let driver = try reader.driver(ofUser: user) else {
      throw RidesError.notEligible("the caller is no driver")
    }
    return driver
  }

  /// A ride that the user drives now or drove, held by this transaction.
  /// - Throws: `KitError.notFound` for a user who does not.
  func rideForUpdate(_ id: Identifier, drivenBy user: Identifier, in writer: any Writer) throws -> RideRecord {
    let ride = try writer.rideForUpdate(id)
    // Asked in any case: the time that it takes must not tell whether there is a ride.
    let driver = try writer.driver(ofUser: user)
    guard let ride, let driver, ride.driverID == driver.id else { throw KitError.notFound("ride") }
    return ride
  }

  /// On which side of a ride a user is; nil for a stranger. Without a ride, or a driver of it, it takes as long.
  func side(of user: Identifier, on ride: RideRecord?, in reader: any Reader) throws -> RideSide? {
    if let ride, ride.riderID == user { return .rider }
    guard let driver = try reader.driver(ofUser: user), ride?.driverID == driver.id else { return nil }
    return .driver
  }

  /// A ride that the caller is a party to, or may see as staff.
  /// - Throws: `KitError.notFound` for strangers.
  func visibleRide(
    _ id: Identifier, to caller: Caller, roles: [String], in reader: any Reader
  ) throws -> RideRecord {
    let ride = try reader.ride(id)
    guard try maySee(ride, caller, roles: roles, in: reader), let ride else { throw KitError.notFound("ride") }
    return ride
  }

  /// Whether the caller is a party to a ride, or may see it as staff. A ride that is not there is asked about as well, so
  /// that the time of an answer tells nothing.
  func maySee(_ ride: RideRecord?, _ caller: Caller, roles: [String], in reader: any Reader) throws -> Bool {
    try caller.roles.holds(anyOf: roles) || side(of: caller.user, on: ride, in: reader) != nil
  }
}
