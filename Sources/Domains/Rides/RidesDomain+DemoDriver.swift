public import Base
import DomainKit
import OctetTypes
import RidesAPI
import Storage

extension RidesDomain {
  /// Makes a user a driver of the demo city who may work at once: documents verified, a car linked. Harmless when
  /// repeated. Call it after `seedDemo`.
  public func seedDemoDriver(_ user: Identifier, displayName: String) async throws {
    try await core.kit.database.write { [core] writer in
      guard let city = try writer.cities().first else { return }
      let driver = core.kit.identifiers.next()
      guard try writer.insertDriver(id: driver, user: user, city: city.id, displayName: displayName) else { return }
      try writer.insertPresence(of: driver, city: city.id, now: core.now)
      try core.linkDemoCar(to: driver, in: writer)
      for kind in requiredDocuments {
        try core.verifyDemoDocument(kind, of: driver, in: writer)
      }
      guard try writer.updateDriver(driver, from: .pending, to: .active) else { throw RetryTransaction() }
    }
  }
}

extension RidesCore {
  fileprivate func linkDemoCar(to driver: Identifier, in writer: any Writer) throws {
    var request = RegisterVehicleRequest()
    request.plate = "OCT-1"
    request.category = "economy"
    request.seats = 4
    request.model = "Toyota Corolla"
    request.color = "white"
    let car = VehicleRecord(id: kit.identifiers.next(), ownerID: driver, request: request)
    guard try writer.insert(car), try writer.link(car.id, to: driver) else { throw RidesError.plateTaken }
  }

  fileprivate func verifyDemoDocument(_ kind: DocumentKind, of driver: Identifier, in writer: any Writer) throws {
    var request = SubmitDocumentRequest()
    request.kind = kind
    request.blob = "demo"
    var date = Date()
    (date.year, date.month, date.day) = (2099, 12, 31)
    guard let day = CivilDate(date)?.daysSinceEpoch else { preconditionFailure("the demo documents expire on no day") }
    let document = DocumentRecord(
      id: kit.identifiers.next(), driverID: driver, request: request, expiresOn: date,
      expiresAt: Instant(seconds: (day + 1) * 86_400))
    try writer.insert(document)
    guard try writer.review(document.id, as: .verified, rejection: "") else { throw RetryTransaction() }
  }
}
