import Base
import OctetTypes
import RPC
import Refusals
import RidesAPI

@testable import Rides

/// A rider's client.
struct TestRider: Sendable {
  let user: Identifier
  let channel: RPCChannel
  let rides: RideServiceClient

  init(_ world: RidesWorld, user: Identifier? = nil) {
    self.user = user ?? world.user()
    channel = world.channel(self.user)
    rides = RideServiceClient(channel)
  }

  func quotes(from start: LatLng = place(), to end: LatLng = place(north: 2000)) async throws -> [FareQuote] {
    var request = EstimateFareRequest()
    request.requestID = newRequestID()
    request.stops = [start, end]
    return try await PricingServiceClient(channel).estimateFare(request).quotes
  }

  func quote(from start: LatLng = place(), to end: LatLng = place(north: 2000)) async throws -> FareQuote {
    let all = try await quotes(from: start, to: end)
    guard let quote = all.first(where: { $0.category == "economy" }) else { throw RidesError.noService }
    return quote
  }

  func requestRide(
    _ quote: FareQuote? = nil, method: PaymentMethod = .cash, requestID: String = newRequestID()
  ) async throws -> Ride {
    var request = RequestRideRequest()
    request.requestID = requestID
    if let quote { request.quoteID = quote.id } else { request.quoteID = try await self.quote().id }
    request.method = method
    return try await rides.requestRide(request)
  }

  func ride(_ id: String) async throws -> Ride {
    var request = GetRideRequest()
    request.rideID = id
    return try await rides.getRide(request)
  }

  @discardableResult
  func cancel(_ id: String, requestID: String = newRequestID(), expectedFee: Money? = nil) async throws -> Ride {
    var request = CancelRideRequest()
    request.requestID = requestID
    request.rideID = id
    request.expectedFee = expectedFee
    return try await rides.cancelRide(request)
  }

  func receipt(_ id: String) async throws -> Receipt {
    var request = GetReceiptRequest()
    request.rideID = id
    return try await rides.getReceipt(request)
  }

  func recomputed(_ id: String) async throws -> Receipt {
    var request = RecomputeFareRequest()
    request.rideID = id
    return try await rides.recomputeFare(request)
  }

  func watch(_ id: String, resumeToken: String = "") -> ServerStreamingCall<WatchRideResponse> {
    var request = WatchRideRequest()
    request.rideID = id
    request.resumeToken = resumeToken
    return rides.watchRide(request)
  }

  func track(_ id: String) -> ServerStreamingCall<TrackRideResponse> {
    var request = TrackRideRequest()
    request.rideID = id
    return TrackingServiceClient(channel).trackRide(request)
  }
}

extension RidesWorld {
  /// What the audit says of the stored rides; empty if all is well.
  func violations() async throws -> [InvariantReport] {
    let channel = channel(user("rides.ops"))
    return try await AuditServiceClient(channel).checkInvariants(CheckInvariantsRequest()).invariants
      .filter { $0.violations_ != 0 }
  }
}
