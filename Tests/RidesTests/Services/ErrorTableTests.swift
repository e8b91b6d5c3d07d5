import DomainKit
import RPC
import RidesAPI
import Testing

@testable import Rides

/// The reasons and statuses that clients rely on.
struct ErrorTableTests {
  @Test(
    arguments: [
      (.driverExists, .alreadyExists, "DRIVER_EXISTS"), (.plateTaken, .alreadyExists, "PLATE_TAKEN"),
      (.vehicleInUse, .failedPrecondition, "VEHICLE_IN_USE"), (.notEligible(""), .failedPrecondition, "NOT_ELIGIBLE"),
      (.wrongState(.paid), .failedPrecondition, "WRONG_STATE"), (.noService, .failedPrecondition, "NO_SERVICE"),
      (.noRoute, .failedPrecondition, "NO_ROUTE"), (.tooManyStops(5), .invalidArgument, "TOO_MANY_STOPS"),
      (.tableOverlap, .failedPrecondition, "TABLE_OVERLAP"),
      (.badTable(field: "slabs", ""), .invalidArgument, "BAD_TABLE"), (.badPolygon, .invalidArgument, "BAD_POLYGON"),
      (.unknownTimeZone, .invalidArgument, "UNKNOWN_TIME_ZONE"),
      (.methodUnavailable, .failedPrecondition, "METHOD_UNAVAILABLE"),
      (.quoteExpired, .failedPrecondition, "QUOTE_EXPIRED"), (.quoteUsed, .failedPrecondition, "QUOTE_USED"),
      (.rideActive(nil), .failedPrecondition, "RIDE_ACTIVE"), (.duesUnpaid, .failedPrecondition, "DUES_UNPAID"),
      (.priceChanged(minorUnits: 1, currency: "EUR"), .aborted, "PRICE_CHANGED"),
      (.tooFar, .failedPrecondition, "TOO_FAR"), (.wrongPIN, .permissionDenied, "WRONG_PIN"),
      (.tooManyAttempts, .resourceExhausted, "TOO_MANY_ATTEMPTS"), (.alreadyPaid, .failedPrecondition, "ALREADY_PAID"),
      (.offerTaken, .failedPrecondition, "OFFER_TAKEN"), (.offerExpired, .failedPrecondition, "OFFER_EXPIRED"),
      (.offerWithdrawn, .failedPrecondition, "OFFER_WITHDRAWN"), (.positionOld, .failedPrecondition, "POSITION_OLD"),
      (.positionRejected([]), .invalidArgument, "POSITION_REJECTED"),
      (.sessionReplaced, .aborted, "SESSION_REPLACED"), (.emptyFrame, .invalidArgument, "INVALID_ARGUMENT"),
    ] as [(RidesError, StatusCode, String)])
  func `each refusal has its status and reason`(error: RidesError, code: StatusCode, reason: String) {
    #expect(error.mapping.code == code)
    #expect(error.mapping.reason == reason)
    #expect(code != .invalidArgument || error == .positionRejected([]) || !error.mapping.violations.isEmpty)
    #expect(!error.mapping.message.isEmpty || error == .notEligible("") || error == .badTable(field: "slabs", ""))
  }
}
