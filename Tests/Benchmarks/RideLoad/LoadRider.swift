import Base
import IdentityAPI
import OctetTypes
import RPC
import RidesAPI

/// One rider's closed loop.
struct LoadRider: Sendable {
  private static let password = "correct horse battery staple"
  /// Two points in the demo city.
  private static let way: [LatLng] = [(60.1719, 24.9414), (60.1817, 24.9297)].map {
    var place = LatLng()
    (place.latitude, place.longitude) = $0
    return place
  }

  private let options: CallOptions
  private let pricing: PricingServiceClient
  private let rides: RideServiceClient

  /// Registers and logs in.
  init(handle: String, channel: RPCChannel) async throws {
    var registration = RegisterRequest()
    registration.requestID = Self.requestID()
    registration.handle = handle
    registration.password = Self.password
    _ = try await AccountServiceClient(channel).register(registration)
    var login = LoginRequest()
    login.requestID = Self.requestID()
    login.loginName = handle
    login.password = Self.password
    let session = try await SessionServiceClient(channel).login(login)
    var options = CallOptions(timeout: .seconds(30))
    try options.metadata.add("authorization", "Bearer \(session.tokens?.accessToken ?? "")")
    self.options = options
    pricing = PricingServiceClient(channel)
    rides = RideServiceClient(channel)
  }

  /// Quotes, requests and cancels until the time is up.
  func ride(until end: Instant) async throws -> Tally {
    let clock = SystemClock()
    var tally = Tally()
    while clock.now() < end {
      var estimate = EstimateFareRequest()
      estimate.requestID = Self.requestID()
      estimate.stops = Self.way
      let quotes = try await pricing.estimateFare(estimate, options: options).quotes

      var request = RequestRideRequest()
      request.requestID = Self.requestID()
      request.quoteID = quotes.first?.id ?? ""
      request.method = .cash
      let start = clock.now()
      let ride = try await rides.requestRide(request, options: options)
      tally.latencies.append(clock.now() - start)

      var cancel = CancelRideRequest()
      cancel.requestID = Self.requestID()
      cancel.rideID = ride.id
      _ = try await rides.cancelRide(cancel, options: options)
      tally.writes += 3
    }
    return tally
  }

  /// A UUID of version 7 (RFC 9562 §5.7): time-ordered, as the server's tables like it best.
  private static func requestID() -> String {
    let random = SystemRandomSource()
    let milliseconds = UInt64(SystemClock().now().milliseconds)
    let high = milliseconds << 16 | 0x7000 | random.next() & 0xfff
    let low = random.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
    let digits = [high, low].map { word in
      let hex = String(word, radix: 16)
      return String(repeating: "0", count: 16 - hex.count) + hex
    }.joined()
    var text = ""
    for (index, digit) in digits.enumerated() {
      if [8, 12, 16, 20].contains(index) { text += "-" }
      text.append(digit)
    }
    return text
  }
}
