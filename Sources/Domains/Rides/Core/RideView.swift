import Base
import DomainKit
import OctetTypes
import RidesAPI
import Storage
import WellKnownTypes

extension Reader {
  /// A ride as its parties see it, without the PIN.
  func view(of record: RideRecord) throws -> Ride {
    var ride = Ride()
    ride.id = record.id.text(kind: IDKind.ride)
    ride.riderID = record.riderID.text(kind: IDKind.user)
    ride.cityID = record.cityID.text(kind: IDKind.city)
    ride.state = record.state
    ride.version = record.version
    ride.epoch = record.epoch
    ride.quoteID = record.quoteID.text(kind: IDKind.quote)
    ride.category = record.category
    if let quote = try quote(record.quoteID)?.quote {
      ride.stops = quote.stops
      ride.quotedTotal = quote.total
    }
    ride.method = record.method
    if let driver = record.driverID { ride.driver = try publicDriver(driver) }
    ride.requestedAt = Timestamp(record.requestedAt)
    ride.assignedAt = record.assignedAt.map(Timestamp.init)
    ride.pickupDueAt = record.pickupDueAt.map(Timestamp.init)
    ride.arrivedAt = record.arrivedAt.map(Timestamp.init)
    ride.startedAt = record.startedAt.map(Timestamp.init)
    ride.endedAt = record.endedAt.map(Timestamp.init)
    ride.total = record.total.map { Money(minor: $0, of: record.currency) }
    ride.outstanding = record.outstanding.map { Money(minor: $0, of: record.currency) }
    ride.cancelFee = record.cancelFee.map { Money(minor: $0, of: record.currency) }
    ride.note = record.note
    return ride
  }

  /// What riders see of a driver; nil if there is none.
  func publicDriver(_ id: Identifier) throws -> Driver? {
    guard let record = try driver(id) else { return nil }
    var driver = Driver()
    driver.id = id.text(kind: IDKind.driver)
    driver.displayName = record.displayName
    driver.vehicle = try vehicle(ofDriver: id)?.message
    return driver
  }

  /// What a driver and staff see of a driver.
  func fullDriver(_ record: DriverRecord, now: Instant) throws -> Driver {
    var driver = try publicDriver(record.id) ?? Driver()
    driver.userID = record.userID.text(kind: IDKind.user)
    driver.cityID = record.cityID.text(kind: IDKind.city)
    driver.state = record.state
    driver.presence = try presence(of: record.id)?.state ?? .offline
    driver.documents = try documents(ofDriver: record.id).map { $0.message(now: now) }
    driver.mayWork = try obstacle(toWork: record, now: now) == nil
    driver.createdAt = Timestamp(record.id.createdAt)
    return driver
  }
}

extension Money {
  /// An amount in the minor unit of a currency that is known to exist.
  init(minor: Int64, of currency: String) {
    self.init()
    currencyCode = currency
    minorUnits = minor
  }
}

extension Coordinate {
  /// A place of a message whose range has been checked; nil if it has not.
  init?(_ place: LatLng) {
    guard let coordinate = try? Coordinate(latitude: place.latitude, longitude: place.longitude) else { return nil }
    self = coordinate
  }

  var message: LatLng {
    var place = LatLng()
    place.latitude = latitude
    place.longitude = longitude
    return place
  }
}
