public import Base
public import ProtobufRuntime
import RPC

/// The errors that all domains share: the common list of the API conventions.
public enum KitError: DomainError {
  /// No credentials where some are needed, or bad ones.
  case unauthenticated
  /// The session behind the credentials was ended, or was idle for too long.
  case sessionEnded
  /// The account behind the credentials is suspended.
  case accountSuspended
  /// The caller lacks the role.
  case permissionDenied
  /// The method declares no policy, so nobody may call it.
  case noPolicy
  /// The password was given too long ago for what is asked.
  case stepUpRequired
  /// A machine could make this call a million times: a challenge for the method must be answered first.
  case challengeRequired(method: String)
  /// The caller calls too often.
  case rateLimited(after: Duration)
  /// The server is too busy; nothing was done.
  case overloaded
  /// Absent, or somebody else's and private. The kind is a word such as `ride`.
  case notFound(String)
  /// An id field names another kind of thing.
  case wrongIDKind(field: String)
  /// A field is malformed or out of its range.
  case invalid(FieldViolation)
  /// The state of the object forbids it.
  case wrongState(String)
  /// The object was changed since the client read it.
  case etagMismatch
  /// The request_id was used for another request.
  case requestIDReused
  /// The page token is not one of this query.
  case badPageToken
  /// The resume token is not one of this stream.
  case badResumeToken
  /// The resume token is too old: what came after it is no longer kept.
  case resumeTokenTooOld
  /// The reader fell too far behind. The token, if any, names the last event that it was sent.
  case slowReader(resumeToken: String)
  /// An amount in a field is of another currency than what it is for.
  case currencyMismatch(field: String)
  /// A field names no currency.
  case unknownCurrency(field: String)
  /// An amount does not fit.
  case amountOverflow
  /// The caller has as many of these as anybody may have.
  case limitExceeded
  /// The caller has done this as often as anybody may in one day; the next one begins at midnight, UTC.
  case dayLimitExceeded(at: Instant)
  /// A field names the caller, or what is the caller's, and nobody may do this to himself or herself.
  case selfTarget(field: String)
  /// Moderators have forbidden the caller to post.
  case restricted(until: Instant)
  /// A field holds no language tag.
  case badLanguage(field: String)
  /// A text that is no field with rules holds the character U+0000, which no engine keeps.
  case invalidText
  /// A field names a role that is none, or not on such a resource.
  case unknownRole(field: String)
  /// Staff has switched the method off.
  case methodOff
  /// What the caller had alone for a while is over, or somebody else's.
  case leaseLost

  /// How long a client should stay away from a server that is too busy.
  private static let overloadPause = Duration.seconds(1)
  /// The same from a method that people have switched off, and that people will switch on.
  private static let methodOffPause = Duration.seconds(30)

  public var mapping: ErrorMapping {
    switch self {
    case .unauthenticated:
      ErrorMapping("UNAUTHENTICATED", .unauthenticated, "valid credentials are needed")
    case .sessionEnded:
      ErrorMapping("SESSION_ENDED", .unauthenticated, "the session has ended; log in again")
    case .accountSuspended:
      ErrorMapping("ACCOUNT_SUSPENDED", .permissionDenied, "the account is suspended")
    case .permissionDenied:
      ErrorMapping("PERMISSION_DENIED", .permissionDenied, "the caller lacks the role that this call needs")
    case .noPolicy:
      ErrorMapping("PERMISSION_DENIED", .permissionDenied, "the method declares no policy")
    case .stepUpRequired:
      ErrorMapping("STEP_UP_REQUIRED", "prove your identity again, then repeat the call")
    case .challengeRequired(let method):
      ErrorMapping(
        "CHALLENGE_REQUIRED", "solve a challenge of SessionService.GetChallenge, then repeat the call with it",
        metadata: ["method": method])
    case .rateLimited(let wait):
      ErrorMapping("RATE_LIMITED", .resourceExhausted, "too many calls; slow down", retryAfter: wait)
    case .overloaded:
      ErrorMapping(
        "OVERLOADED", .unavailable, "the server is too busy; nothing was done", retryAfter: Self.overloadPause)
    case .notFound(let kind):
      ErrorMapping("NOT_FOUND", .notFound, "no such \(kind)", metadata: ["kind": kind])
    case .wrongIDKind(let field):
      ErrorMapping(
        "WRONG_ID_KIND", .invalidArgument, "an id is malformed or of another kind",
        violations: [FieldViolation(field: field, description: "another kind of id", reason: "WRONG_ID_KIND")])
    case .invalid(let violation):
      ErrorMapping(
        violation.reason ?? "INVALID_REQUEST", .invalidArgument, "the request is not valid", violations: [violation])
    case .wrongState(let state):
      ErrorMapping("WRONG_STATE", "the present state forbids it", metadata: ["state": state])
    case .etagMismatch:
      ErrorMapping("ETAG_MISMATCH", .aborted, "it was changed meanwhile; read it again")
    case .requestIDReused:
      ErrorMapping("REQUEST_ID_REUSED", .alreadyExists, "the request_id was used for another request")
    case .badPageToken:
      ErrorMapping(
        "BAD_PAGE_TOKEN", .invalidArgument, "the page_token is not one of this query",
        violations: [FieldViolation(field: "page_token", description: "not a token of this query")])
    case .badResumeToken:
      ErrorMapping(
        "BAD_RESUME_TOKEN", .invalidArgument, "the resume_token is not one of this stream",
        violations: [FieldViolation(field: "resume_token", description: "not a token of this stream")])
    case .resumeTokenTooOld:
      ErrorMapping("RESUME_TOKEN_TOO_OLD", .outOfRange, "the resume_token is too old; start over from a snapshot")
    case .slowReader(let token):
      ErrorMapping(
        "SLOW_READER", .resourceExhausted, "the stream was read too slowly; come back with the last resume token",
        metadata: token.isEmpty ? [:] : ["resume_token": token])
    case .currencyMismatch(let field):
      Self.invalid("CURRENCY_MISMATCH", field, "the amounts are of different currencies")
    case .unknownCurrency(let field):
      Self.invalid("UNKNOWN_CURRENCY", field, "not an ISO 4217 currency")
    case .amountOverflow:
      ErrorMapping("AMOUNT_OVERFLOW", .outOfRange, "the amount does not fit")
    case .limitExceeded:
      ErrorMapping("LIMIT_EXCEEDED", .resourceExhausted, "there are as many as one may have")
    case .dayLimitExceeded(let now):
      ErrorMapping("LIMIT_EXCEEDED", .resourceExhausted, "that was all for today", retryAfter: now.restOfDay)
    case .selfTarget(let field):
      Self.invalid("SELF_TARGET", field, "nobody can do this to himself or herself")
    case .restricted(let until):
      ErrorMapping("RESTRICTED", "the account may not post at present", metadata: ["until": until.iso8601])
    case .badLanguage(let field):
      Self.invalid("BAD_LANGUAGE", field, "not a BCP 47 language tag")
    case .invalidText:
      ErrorMapping("INVALID_TEXT", .invalidArgument, "a text holds the character U+0000")
    case .unknownRole(let field):
      Self.invalid("UNKNOWN_ROLE", field, "no such role, or not on such a resource")
    case .methodOff:
      ErrorMapping("METHOD_OFF", .unavailable, "this method is switched off for now", retryAfter: Self.methodOffPause)
    case .leaseLost:
      ErrorMapping("LEASE_LOST", .aborted, "the lease has run out, or is somebody else's; nothing was done")
    }
  }

  private static func invalid(_ reason: String, _ field: String, _ description: String) -> ErrorMapping {
    ErrorMapping(
      reason, .invalidArgument, description,
      violations: [FieldViolation(field: field, description: description, reason: reason)])
  }
}

extension KitError {
  /// One sample of each case, for the golden test of the table.
  static let samples: [KitError] = [
    .unauthenticated, .sessionEnded, .accountSuspended, .permissionDenied, .noPolicy, .stepUpRequired,
    .challengeRequired(method: "octet.x.v1.S/M"), .rateLimited(after: .seconds(1)), .overloaded, .notFound("thing"),
    .wrongIDKind(field: "thing_id"), .invalid(FieldViolation(field: "field", description: "wrong")),
    .wrongState("STATE"), .etagMismatch, .requestIDReused, .badPageToken, .badResumeToken, .resumeTokenTooOld,
    .slowReader(resumeToken: "token"), .currencyMismatch(field: "fare"), .unknownCurrency(field: "currency_code"),
    .amountOverflow, .limitExceeded, .dayLimitExceeded(at: Instant(seconds: 0)), .selfTarget(field: "user_id"),
    .restricted(until: Instant(seconds: 0)), .badLanguage(field: "language"), .invalidText,
    .unknownRole(field: "role"), .methodOff, .leaseLost,
  ]
}
