import Base
import DomainKit
import ProtobufRuntime
import RPC
import RidesAPI

/// What rides refuse, beside what all domains refuse.
enum RidesError: DomainError {
  /// The user is a driver already.
  case driverExists
  /// Another vehicle has the plate.
  case plateTaken
  /// Another driver is linked to the vehicle.
  case vehicleInUse
  /// The caller is no driver, or may not work now.
  case notEligible(String)
  /// The state of the ride forbids it.
  case wrongState(RideState)
  /// The pickup is outside of all cities, or nothing is offered there.
  case noService
  /// Neighbouring stops are too far apart.
  case noRoute
  /// More stops than a ride may have.
  case tooManyStops(Int)
  /// Another fare table is in force in part of the time.
  case tableOverlap
  /// The fare table does not make sense.
  case badTable(field: String, String)
  /// The corners do not make an area.
  case badPolygon
  /// The tz database has no such zone.
  case unknownTimeZone
  /// Only cash is taken for now.
  case methodUnavailable
  /// The quote's time is over.
  case quoteExpired
  /// A ride was requested by this quote before.
  case quoteUsed
  /// The rider has a live ride.
  case rideActive(Identifier?)
  /// An earlier ride is not fully paid.
  case duesUnpaid
  /// The fee is not the expected one.
  case priceChanged(minorUnits: Int64, currency: String)
  /// The driver is not at the pickup.
  case tooFar
  /// The PIN is wrong.
  case wrongPIN
  /// The PIN was wrong too often.
  case tooManyAttempts
  /// Nothing is left to pay.
  case alreadyPaid
  /// Another driver was faster.
  case offerTaken
  /// The offer's time is over.
  case offerExpired
  /// The ride or the driver is gone.
  case offerWithdrawn
  /// The position is not newer than the last one.
  case positionOld
  /// The position is out of range or not plausible.
  case positionRejected([String])
  /// A newer session of the driver took over.
  case sessionReplaced
  /// A frame without content.
  case emptyFrame

  var mapping: ErrorMapping {
    switch self {
    case .driverExists: ErrorMapping("DRIVER_EXISTS", .alreadyExists, "the user is a driver already")
    case .plateTaken: ErrorMapping("PLATE_TAKEN", .alreadyExists, "another vehicle has this plate")
    case .vehicleInUse: ErrorMapping("VEHICLE_IN_USE", "another driver is linked to the vehicle")
    case .notEligible(let why): ErrorMapping("NOT_ELIGIBLE", why)
    case .wrongState(let state):
      ErrorMapping("WRONG_STATE", "the state of the ride forbids it", metadata: ["state": state.protoName])
    case .noService: ErrorMapping("NO_SERVICE", "no rides are offered at this pickup")
    case .noRoute: ErrorMapping("NO_ROUTE", "two stops are too far apart")
    case .tooManyStops(let limit): Self.invalid("TOO_MANY_STOPS", "stops", "at most \(limit) stops")
    case .tableOverlap: ErrorMapping("TABLE_OVERLAP", "another table of the category is in force in part of this time")
    case .badTable(let field, let why): Self.invalid("BAD_TABLE", "table.\(field)", why)
    case .badPolygon: Self.invalid("BAD_POLYGON", "corners", "the corners make no simple area")
    case .unknownTimeZone: Self.invalid("UNKNOWN_TIME_ZONE", "time_zone", "not a zone of the tz database")
    case .methodUnavailable: ErrorMapping("METHOD_UNAVAILABLE", "only cash is taken for now")
    case .quoteExpired: ErrorMapping("QUOTE_EXPIRED", "the quote has expired; ask for a new one")
    case .quoteUsed: ErrorMapping("QUOTE_USED", "a ride was requested by this quote before")
    case .rideActive(let ride):
      ErrorMapping(
        "RIDE_ACTIVE", "the rider has a ride under way",
        metadata: ride.map { ["ride_id": $0.text(kind: IDKind.ride)] } ?? [:])
    case .duesUnpaid: ErrorMapping("DUES_UNPAID", "an earlier ride is not fully paid")
    case .priceChanged(let amount, let currency):
      ErrorMapping(
        "PRICE_CHANGED", .aborted, "the fee is another one now",
        metadata: ["minor_units": String(amount), "currency_code": currency])
    case .tooFar: ErrorMapping("TOO_FAR", "no recent position of the driver is near the pickup")
    case .wrongPIN: ErrorMapping("WRONG_PIN", .permissionDenied, "the PIN is wrong")
    case .tooManyAttempts: ErrorMapping("TOO_MANY_ATTEMPTS", .resourceExhausted, "the PIN was wrong too often")
    case .alreadyPaid: ErrorMapping("ALREADY_PAID", "the ride is paid")
    case .offerTaken: ErrorMapping("OFFER_TAKEN", "another driver was faster")
    case .offerExpired: ErrorMapping("OFFER_EXPIRED", "the time to accept is over")
    case .offerWithdrawn: ErrorMapping("OFFER_WITHDRAWN", "the ride is no longer offered")
    case .positionOld:
      ErrorMapping("POSITION_OLD", "sequence and time must be after those of the last accepted position")
    case .positionRejected(let fields):
      ErrorMapping(
        "POSITION_REJECTED", .invalidArgument,
        fields.isEmpty ? "too far from the last position" : "out of range: " + fields.joined(separator: ", "),
        violations: fields.map { FieldViolation(field: $0, description: "out of range") })
    case .sessionReplaced: ErrorMapping("SESSION_REPLACED", .aborted, "a newer session of this driver took over")
    case .emptyFrame: Self.invalid("INVALID_ARGUMENT", "frame", "a frame is required")
    }
  }

  private static func invalid(_ reason: String, _ field: String, _ why: String) -> ErrorMapping {
    ErrorMapping(
      reason, .invalidArgument, why, violations: [FieldViolation(field: field, description: why, reason: reason)])
  }
}

/// The kind prefixes of printed ids.
enum IDKind {
  static let user = "user"
  static let driver = "drv"
  static let vehicle = "veh"
  static let document = "doc"
  static let city = "city"
  static let zone = "zone"
  static let quote = "fareq"
  static let ride = "ride"
  static let offer = "offer"
}
