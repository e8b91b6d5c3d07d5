import Base
import RidesAPI
import Storage

/// A row of `rides_vehicles`.
struct VehicleRecord: Sendable, Equatable {
  let id: Identifier
  let ownerID: Identifier
  let driverID: Identifier?
  let plate: String
  let category: String
  let seats: UInt32
  let model: String
  let color: String

  static let columns = "id, owner_id, driver_id, plate, category, seats, model, color"

  init(row: any Row) {
    id = row[0]
    ownerID = row[1]
    driverID = row[2]
    plate = row[3]
    category = row[4]
    seats = row[5]
    model = row[6]
    color = row[7]
  }

  /// A vehicle that no driver is linked to.
  init(id: Identifier, ownerID: Identifier, request: RegisterVehicleRequest) {
    self.id = id
    self.ownerID = ownerID
    driverID = nil
    plate = Self.normalized(plate: request.plate)
    category = request.category
    seats = request.seats
    model = request.model
    color = request.color
  }

  /// In capitals, without blanks and hyphens: as plates are compared.
  static func normalized(plate: String) -> String {
    String(plate.uppercased().filter { !$0.isWhitespace && $0 != "-" })
  }

  var message: Vehicle {
    var vehicle = Vehicle()
    vehicle.id = id.text(kind: IDKind.vehicle)
    vehicle.plate = plate
    vehicle.category = category
    vehicle.seats = seats
    vehicle.model = model
    vehicle.color = color
    return vehicle
  }
}

extension Reader {
  /// A vehicle; nil if there is none.
  func vehicle(_ id: Identifier) throws -> VehicleRecord? {
    try first("SELECT \(VehicleRecord.columns) FROM rides_vehicles WHERE id = $1", id, make: VehicleRecord.init(row:))
  }

  /// The vehicle that a driver is linked to.
  func vehicle(ofDriver driver: Identifier) throws -> VehicleRecord? {
    try first(
      "SELECT \(VehicleRecord.columns) FROM rides_vehicles WHERE driver_id = $1", driver,
      make: VehicleRecord.init(row:))
  }
}

extension Writer {
  /// Adds a vehicle. False if its plate is taken.
  func insert(_ vehicle: VehicleRecord) throws -> Bool {
    try execute(
      """
      INSERT INTO rides_vehicles (id, owner_id, driver_id, plate, category, seats, model, color)
      VALUES ($1, $2, NULL, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
      """, vehicle.id, vehicle.ownerID, vehicle.plate, vehicle.category, vehicle.seats, vehicle.model, vehicle.color)
      == 1
  }

  /// Links a driver to a vehicle in place of the one before. False if another driver is linked to it.
  func link(_ vehicle: Identifier, to driver: Identifier) throws -> Bool {
    try send(
      "UPDATE rides_vehicles SET driver_id = NULL WHERE driver_id = $1 AND id <> $2", driver, vehicle)
    return try execute(
      "UPDATE rides_vehicles SET driver_id = $1 WHERE id = $2 AND (driver_id IS NULL OR driver_id = $1)", driver,
      vehicle) == 1
  }
}
