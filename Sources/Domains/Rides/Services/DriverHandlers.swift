import Base
import DomainKit
import ProtobufRuntime
import RPC
import RidesAPI
import Storage

/// `DriverService`: onboarding here, the session in `DriverHandlers+Session.swift`.
struct DriverHandlers: DriverService {
  let core: RidesCore

  func registerDriver(_ request: RegisterDriverRequest, context: ServerContext) async throws -> Driver {
    let user = try context.requireCaller().user
    let city = try Identifier(request.cityID, kind: IDKind.city, field: "city_id")
    return try await core.kit.mutate(request, context) { [core] writer in
      guard try writer.city(city) != nil else { throw KitError.notFound("city") }
      let id = core.kit.identifiers.next()
      guard try writer.insertDriver(id: id, user: user, city: city, displayName: request.displayName) else {
        throw RidesError.driverExists
      }
      try writer.insertPresence(of: id, city: city, now: core.now)
      return try core.driverMessage(id, in: writer)
    }
  }

  func registerVehicle(_ request: RegisterVehicleRequest, context: ServerContext) async throws -> Vehicle {
    let user = try context.requireCaller().user
    guard VehicleCategory.isCode(request.category) else {
      throw KitError.invalid(
        FieldViolation(field: "category", description: "only lower-case letters, digits and underscores"))
    }
    return try await core.kit.mutate(request, context) { [core] writer in
      let driver = try core.requireDriver(user, in: writer)
      let vehicle = VehicleRecord(id: core.kit.identifiers.next(), ownerID: driver.id, request: request)
      guard !vehicle.plate.isEmpty else {
        throw KitError.invalid(FieldViolation(field: "plate", description: "no letters or digits"))
      }
      guard try writer.insert(vehicle) else { throw RidesError.plateTaken }
      return vehicle.message
    }
  }

  func linkVehicle(_ request: LinkVehicleRequest, context: ServerContext) async throws -> Driver {
    let user = try context.requireCaller().user
    let id = try Identifier(request.vehicleID, kind: IDKind.vehicle, field: "vehicle_id")
    return try await core.kit.mutate(request, context) { [core] writer in
      let driver = try core.requireDriver(user, in: writer)
      guard let vehicle = try writer.vehicle(id) else { throw KitError.notFound("vehicle") }
      guard vehicle.ownerID == driver.id || vehicle.driverID == driver.id else {
        throw vehicle.driverID == nil ? KitError.notFound("vehicle") : RidesError.vehicleInUse as any Error
      }
      guard try writer.presenceForUpdate(driver.id)?.state == .offline else {
        throw KitError.wrongState("ONLINE")
      }
      guard try writer.link(id, to: driver.id) else { throw RidesError.vehicleInUse }
      return try core.driverMessage(driver.id, in: writer)
    }
  }

  func submitDocument(_ request: SubmitDocumentRequest, context: ServerContext) async throws -> Document {
    let user = try context.requireCaller().user
    guard let date = request.expiresOn, let day = CivilDate(date)?.daysSinceEpoch else {
      throw KitError.invalid(FieldViolation(field: "expires_on", description: "not a day of the calendar"))
    }
    return try await core.kit.mutate(request, context) { [core] writer in
      let driver = try core.requireDriver(user, in: writer)
      guard let city = try writer.city(driver.cityID) else { throw KitError.notFound("city") }
      // Instants do not reach all days before 1970, which have passed anyway.
      guard (0..<CivilDate.last.daysSinceEpoch).contains(day),
        core.timeZone(of: city).start(ofDay: day + 1) > core.now
      else {
        throw KitError.invalid(FieldViolation(field: "expires_on", description: "has passed, or is too far ahead"))
      }
      let document = DocumentRecord(
        id: core.kit.identifiers.next(), driverID: driver.id, request: request, expiresOn: date,
        expiresAt: core.timeZone(of: city).start(ofDay: day + 1))
      try writer.insert(document)
      return document.message(now: core.now)
    }
  }

  func reviewDocument(_ request: ReviewDocumentRequest, context: ServerContext) async throws -> Document {
    let id = try Identifier(request.documentID, kind: IDKind.document, field: "document_id")
    return try await core.kit.mutate(request, context) { [core] writer in
      let now = core.now
      guard let document = try writer.documentForUpdate(id), let driver = try writer.driver(document.driverID) else {
        throw KitError.notFound("document")
      }
      guard document.state == .pending, !request.verified || document.expiresAt > now else {
        throw KitError.wrongState(document.state == .pending ? "EXPIRED" : document.state(at: now).protoName)
      }
      let state: DocumentState = request.verified ? .verified : .rejected
      guard try writer.review(id, as: state, rejection: request.verified ? "" : request.rejection) else {
        throw RetryTransaction()
      }
      if driver.state == .pending, try writer.hasRequiredDocuments(driver.id, now: now) {
        guard try writer.updateDriver(driver.id, from: .pending, to: .active) else { throw RetryTransaction() }
      }
      guard let reviewed = try writer.documentForUpdate(id) else { throw KitError.notFound("document") }
      return reviewed.message(now: now)
    }
  }

  func suspendDriver(_ request: SuspendDriverRequest, context: ServerContext) async throws -> Driver {
    let id = try Identifier(request.driverID, kind: IDKind.driver, field: "driver_id")
    return try await core.kit.mutate(request, context) { [core] writer in
      guard let driver = try writer.driver(id) else { throw KitError.notFound("driver") }
      guard (driver.state == .suspended) == request.lift else { throw KitError.wrongState(driver.state.protoName) }
      let new: DriverState =
        request.lift ? (try writer.hadRequiredDocuments(id) ? .active : .pending) : .suspended
      guard try writer.updateDriver(id, from: driver.state, to: new, note: request.note) else {
        throw RetryTransaction()
      }
      if !request.lift, let presence = try writer.presence(of: id), !presence.state.isOnRide {
        try core.goOffline(id, in: writer)
        try core.tellState(of: id, in: writer)
      }
      return try core.driverMessage(id, in: writer)
    }
  }

  func getDriver(_ request: GetDriverRequest, context: ServerContext) async throws -> Driver {
    let caller = try context.requireCaller()
    let id =
      try request.driverID.isEmpty
      ? nil : Identifier(request.driverID, kind: IDKind.driver, field: "driver_id")
    let roles = context.method.policy.roles
    return try await core.kit.database.read { [core] reader in
      let driver = try id.map { try reader.driver($0) } ?? reader.driver(ofUser: caller.user)
      if let driver, driver.userID == caller.user || caller.roles.holds(anyOf: roles) {
        return try reader.fullDriver(driver, now: core.now)
      }
      // Asked in any case: the time that it takes must not tell whether there is a driver.
      let hasRidden = try id.map { try reader.hasRidden(caller.user, with: $0) } ?? false
      guard hasRidden, let driver, let seen = try reader.publicDriver(driver.id) else {
        throw KitError.notFound("driver")
      }
      return seen
    }
  }

  func listVehicleCategories(
    _ request: ListVehicleCategoriesRequest, context: ServerContext
  ) async throws -> ListVehicleCategoriesResponse {
    let city = try Identifier(request.cityID, kind: IDKind.city, field: "city_id")
    return try await core.kit.database.read { [core] reader in
      guard try reader.city(city) != nil else { throw KitError.notFound("city") }
      var response = ListVehicleCategoriesResponse()
      response.categories = try reader.fareTables(ofCity: city, at: core.now).map { table in
        var category = VehicleCategory()
        category.code = table.category
        category.title = table.title
        category.seats = table.seats
        category.cityID = request.cityID
        return category
      }
      return response
    }
  }
}

extension RidesCore {
  /// A driver as the driver sees it.
  func driverMessage(_ id: Identifier, in reader: any Reader) throws -> Driver {
    guard let driver = try reader.driver(id) else { throw KitError.notFound("driver") }
    return try reader.fullDriver(driver, now: now)
  }
}

extension Reader {
  /// Whether a rider has a ride, live or past, that a driver was assigned to.
  func hasRidden(_ rider: Identifier, with driver: Identifier) throws -> Bool {
    try exists("SELECT 1 FROM rides_rides WHERE rider_id = $1 AND driver_id = $2", rider, driver)
  }
}
