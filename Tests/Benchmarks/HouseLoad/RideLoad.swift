import OctetTypes
import RPC
import RidesAPI

/// A rider who, one after the other, asks for a quote, requests the ride and cancels it. The request is measured.
struct RideLoad: Load {
  /// Two points in the demo city.
  private static let way: [LatLng] = [(60.1719, 24.9414), (60.1817, 24.9297)].map {
    var place = LatLng()
    (place.latitude, place.longitude) = $0
    return place
  }

  private let options: CallOptions
  private let pricing: PricingServiceClient
  private let rides: RideServiceClient

  init(handle: String, channel: RPCChannel) async throws {
    options = try await Account(handle: handle, channel: channel).options
    pricing = PricingServiceClient(channel)
    rides = RideServiceClient(channel)
  }

  func step(_ tally: inout Tally) async throws {
    var estimate = EstimateFareRequest()
    estimate.requestID = RequestID.make()
    estimate.stops = Self.way
    let quotes = try await pricing.estimateFare(estimate, options: options).quotes

    var request = RequestRideRequest()
    request.requestID = RequestID.make()
    request.quoteID = quotes.first?.id ?? ""
    request.method = .cash
    let ride = try await tally.time { try await rides.requestRide(request, options: options) }

    var cancel = CancelRideRequest()
    cancel.requestID = RequestID.make()
    cancel.rideID = ride.id
    _ = try await rides.cancelRide(cancel, options: options)
    tally.writes += 3
  }
}
