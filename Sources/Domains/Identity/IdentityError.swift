import DomainKit
import ProtobufRuntime
import RPC

/// The errors of the identity domain.
enum IdentityError: DomainError {
  case handleTaken
  /// What the password lacks, in words that do not repeat it.
  case weakPassword(String)
  /// The same of the password that is to take the place of another.
  case weakNewPassword(String)
  case badPhoneNumber(field: String)
  case badEmail
  case badHandle
  /// Name or password are wrong; which of them, nobody is told.
  case wrongCredentials
  /// Not the code that was sent.
  case wrongCode
  /// The code was used, is over, or was never sent there.
  case codeExpired
  /// The code was tried too often; a new one must be sent.
  case tooManyAttempts
  /// The device's signature does not fit its key.
  case badSignature
  /// A role that users take themselves, but not with so little proved.
  case notEligible
  /// A role that users take themselves, and that somebody else has taken from this one.
  case roleWithdrawn
  /// The last owner of a resource, or the last admin, must stay.
  case lastOwner
  /// What must be settled before the account can be closed.
  case closeBlocked([String])
  /// An expiry that has passed already.
  case expiryPassed
  /// Not a day on which somebody who lives can have been born.
  case badBirthDate
  /// Not a country.
  case badRegion(field: String)
  /// Not a zone of the tz database.
  case badTimeZone(field: String)

  var mapping: ErrorMapping {
    switch self {
    case .handleTaken:
      ErrorMapping("HANDLE_TAKEN", .alreadyExists, "somebody else has this handle")
    case .weakPassword(let lack):
      Self.invalid("WEAK_PASSWORD", "password", lack)
    case .weakNewPassword(let lack):
      Self.invalid("WEAK_PASSWORD", "new_password", lack)
    case .badPhoneNumber(let field):
      Self.invalid("BAD_PHONE_NUMBER", field, "not an E.164 phone number")
    case .badEmail:
      Self.invalid("INVALID_REQUEST", "email", "not an e-mail address")
    case .badHandle:
      Self.invalid("INVALID_REQUEST", "handle", "not 3 to 30 letters, digits, dots and underscores")
    case .wrongCredentials:
      ErrorMapping("WRONG_CREDENTIALS", .unauthenticated, "the name or the password is wrong")
    case .wrongCode:
      ErrorMapping("WRONG_CODE", .permissionDenied, "this is not the code that was sent")
    case .codeExpired:
      ErrorMapping("CODE_EXPIRED", "the code was used or is over; ask for a new one")
    case .tooManyAttempts:
      ErrorMapping("TOO_MANY_ATTEMPTS", .resourceExhausted, "the code was tried too often; ask for a new one")
    case .badSignature:
      ErrorMapping("BAD_SIGNATURE", .permissionDenied, "the signature does not fit the device's key")
    case .notEligible:
      ErrorMapping("NOT_ELIGIBLE", "prove a contact, or for some roles who you are, before you take this role")
    case .roleWithdrawn:
      ErrorMapping("ROLE_WITHDRAWN", "this role was taken from you; whoever gives roles may give it back")
    case .lastOwner:
      ErrorMapping("LAST_OWNER", "somebody must keep this role")
    case .closeBlocked(let blockers):
      ErrorMapping(
        "CLOSE_BLOCKED", "something must be settled before the account can be closed",
        metadata: ["blockers": blockers.joined(separator: ",")])
    case .expiryPassed:
      Self.invalid("INVALID_REQUEST", "expire_time", "has passed")
    case .badBirthDate:
      Self.invalid("INVALID_REQUEST", "birth_date", "not a day of the last \(BirthDate.oldestYears) years")
    case .badRegion(let field):
      Self.invalid("INVALID_REQUEST", field, "not an ISO 3166-1 alpha-2 code in capitals")
    case .badTimeZone(let field):
      Self.invalid("INVALID_REQUEST", field, "not a zone of the tz database")
    }
  }

  private static func invalid(_ reason: String, _ field: String, _ description: String) -> ErrorMapping {
    ErrorMapping(
      reason, .invalidArgument, "the request is not valid",
      violations: [FieldViolation(field: field, description: description, reason: reason)])
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [IdentityError] = [
    .handleTaken, .weakPassword("too short"), .weakNewPassword("too short"), .badPhoneNumber(field: "phone"),
    .badEmail, .badHandle,
    .wrongCredentials, .wrongCode, .codeExpired, .tooManyAttempts, .badSignature, .notEligible,
    .roleWithdrawn, .lastOwner,
    .closeBlocked(["rides.open_ride"]),
    .expiryPassed, .badBirthDate, .badRegion(field: "preferences.region_code"),
    .badTimeZone(field: "preferences.time_zone"),
  ]
}
