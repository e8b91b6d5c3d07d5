import Base
import OctetTypes
import RPC
import Refusals
import RidesAPI

@testable import Rides

/// A driver's client, with a session once `open` was called. Used by one task.
final class TestDriver {
  let user: Identifier
  let channel: RPCChannel
  let rides: RideServiceClient
  let service: DriverServiceClient
  private(set) var id = ""
  private(set) var vehicleID = ""
  private var session: BidirectionalCall<DriverSessionRequest, DriverSessionResponse>?
  private var rows: [DriverSessionResponse] = []
  private var sequence: Int64 = 0

  init(_ world: RidesWorld, user: Identifier? = nil) {
    self.user = user ?? world.user()
    channel = world.channel(self.user)
    rides = RideServiceClient(channel)
    service = DriverServiceClient(channel)
  }

  /// Registered, with a linked vehicle and verified documents.
  static func admitted(_ world: RidesWorld) async throws -> TestDriver {
    let driver = TestDriver(world)
    try await driver.register(world)
    try await driver.bringVehicle()
    for kind in [DocumentKind.drivingLicence, .insurance] {
      try await driver.prove(kind, world)
    }
    return driver
  }

  /// Admitted and online at a place.
  static func online(_ world: RidesWorld, at place: LatLng = place()) async throws -> TestDriver {
    let driver = try await admitted(world)
    try await driver.open()
    try await driver.goOnline()
    try await driver.report(place)
    return driver
  }

  func register(_ world: RidesWorld) async throws {
    var request = RegisterDriverRequest()
    request.requestID = newRequestID()
    request.cityID = try await world.city().id.text(kind: IDKind.city)
    request.displayName = "Driver"
    id = try await service.registerDriver(request).id
  }

  func bringVehicle(plate: String? = nil, category: String = "economy") async throws {
    var request = RegisterVehicleRequest()
    request.requestID = newRequestID()
    request.plate = plate ?? String(user.rawValue % 1_000_000_000)
    request.category = category
    request.seats = 4
    request.model = "Saab 900"
    vehicleID = try await service.registerVehicle(request).id
    try await link(vehicleID)
  }

  func link(_ vehicle: String) async throws {
    var request = LinkVehicleRequest()
    request.requestID = newRequestID()
    request.vehicleID = vehicle
    _ = try await service.linkVehicle(request)
  }

  func submit(_ kind: DocumentKind, expiresOn: Date = date(2027, 1, 31)) async throws -> Document {
    var request = SubmitDocumentRequest()
    request.requestID = newRequestID()
    request.kind = kind
    request.blob = "scan"
    request.expiresOn = expiresOn
    return try await service.submitDocument(request)
  }

  func prove(_ kind: DocumentKind, expiresOn: Date = date(2027, 1, 31), _ world: RidesWorld) async throws {
    let document = try await submit(kind, expiresOn: expiresOn)
    var review = ReviewDocumentRequest()
    review.requestID = newRequestID()
    review.documentID = document.id
    review.verified = true
    _ = try await DriverServiceClient(world.channel(world.user("rides.ops"))).reviewDocument(review)
  }

  // MARK: Session

  /// Opens a session, in place of the one before; returns the first row.
  @discardableResult
  func open() async throws -> SessionState {
    session = service.driverSession()
    rows = []
    guard case .state(let state) = try await next().event else { throw RidesError.wrongState(.unspecified) }
    return state
  }

  func close() {
    session?.cancel()
    session = nil
  }

  /// Sends a frame and returns the row that answers it; other rows are kept for `next(where:)`.
  func send(
    _ frame: DriverSessionRequest.Frame?, requestID: String = newRequestID()
  ) async throws -> DriverSessionResponse {
    var request = DriverSessionRequest()
    request.requestID = requestID
    request.frame = frame
    try await session?.requests.write(request)
    return try await next { $0.requestID == requestID }
  }

  /// The next row that is wanted; others are kept.
  func next(where isWanted: (DriverSessionResponse) -> Bool = { _ in true }) async throws -> DriverSessionResponse {
    if let index = rows.firstIndex(where: isWanted) { return rows.remove(at: index) }
    while let row = try await session?.responses.next() {
      if isWanted(row) { return row }
      rows.append(row)
    }
    throw RPCError(.unavailable, "the session ended")
  }

  func goOnline() async throws { try await accepted(.goOnline(GoOnline())) }

  func goOffline() async throws { try await accepted(.goOffline(GoOffline())) }

  /// Reports a position with the next sequence.
  @discardableResult
  func report(_ place: LatLng, ageMs: Int64 = 0) async throws -> SessionAck {
    sequence += 1
    return try await report(sequence: sequence, place, ageMs: ageMs)
  }

  func report(
    sequence: Int64, _ place: LatLng, ageMs: Int64 = 0, accuracyM: Double = 5
  ) async throws -> SessionAck {
    self.sequence = max(self.sequence, sequence)
    var position = DriverPosition()
    position.sequence = sequence
    position.ageMs = ageMs
    position.latitude = place.latitude
    position.longitude = place.longitude
    position.accuracyM = accuracyM
    var report = ReportPositions()
    report.positions = [position]
    guard case .ack(let ack) = try await send(.positions(report)).event else { throw RidesError.emptyFrame }
    return ack
  }

  /// Waits for an offer.
  func offer() async throws -> Offer {
    let row = try await next {
      if case .offer = $0.event { true } else { false }
    }
    guard case .offer(let offer) = row.event else { throw RidesError.emptyFrame }
    return offer
  }

  /// Waits for an offer's end.
  func closedOffer() async throws -> OfferClosed {
    let row = try await next {
      if case .offerClosed = $0.event { true } else { false }
    }
    guard case .offerClosed(let closed) = row.event else { throw RidesError.emptyFrame }
    return closed
  }

  func accept(_ offer: Offer, requestID: String = newRequestID()) async throws -> DriverSessionResponse {
    var accept = AcceptOffer()
    accept.offerID = offer.id
    return try await send(.accept(accept), requestID: requestID)
  }

  func decline(_ offer: Offer) async throws -> DriverSessionResponse {
    var decline = DeclineOffer()
    decline.offerID = offer.id
    return try await send(.decline(decline))
  }

  @discardableResult
  private func accepted(_ frame: DriverSessionRequest.Frame) async throws -> SessionAck {
    let row = try await send(frame)
    switch row.event {
    case .ack(let ack): return ack
    case .refusal(let refusal): throw Refused(reason: refusal.reason)
    default: throw RidesError.emptyFrame
    }
  }

  // MARK: Riding

  @discardableResult
  func arrive(_ ride: String) async throws -> Ride {
    var request = MarkArrivedRequest()
    request.requestID = newRequestID()
    request.rideID = ride
    return try await rides.markArrived(request)
  }

  @discardableResult
  func start(_ ride: String, pin: String, requestID: String = newRequestID()) async throws -> Ride {
    var request = StartRideRequest()
    request.requestID = requestID
    request.rideID = ride
    request.pin = pin
    return try await rides.startRide(request)
  }

  @discardableResult
  func complete(_ ride: String) async throws -> Ride {
    var request = CompleteRideRequest()
    request.requestID = newRequestID()
    request.rideID = ride
    return try await rides.completeRide(request)
  }

  @discardableResult
  func confirmCash(_ ride: String, _ received: Money?) async throws -> Ride {
    var request = ConfirmCashRequest()
    request.requestID = newRequestID()
    request.rideID = ride
    request.received = received
    return try await rides.confirmCash(request)
  }
}

/// A frame was refused.
struct Refused: Error, Equatable {
  let reason: String
}

extension DriverSessionResponse {
  /// The reason of a refusal; nil for any other row.
  var refusalReason: String? {
    if case .refusal(let refusal) = event { refusal.reason } else { nil }
  }

  /// The ride of an ack; nil for any other row.
  var ackedRide: Ride? {
    if case .ack(let ack) = event { ack.ride } else { nil }
  }
}

func date(_ year: Int32, _ month: Int32, _ day: Int32) -> Date {
  var date = Date()
  date.year = year
  date.month = month
  date.day = day
  return date
}
