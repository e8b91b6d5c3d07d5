import DomainKit
import RPC
import Testing

@testable import Identity

@Test func `the error table is as documented`() {
  let table = IdentityError.samples.map { "\($0.mapping.reason) \($0.mapping.code)" }
  #expect(
    table == [
      "HANDLE_TAKEN ALREADY_EXISTS", "WEAK_PASSWORD INVALID_ARGUMENT", "BAD_PHONE_NUMBER INVALID_ARGUMENT",
      "INVALID_REQUEST INVALID_ARGUMENT", "INVALID_REQUEST INVALID_ARGUMENT", "WRONG_CREDENTIALS UNAUTHENTICATED",
      "BAD_SIGNATURE PERMISSION_DENIED", "UNKNOWN_ROLE INVALID_ARGUMENT", "LAST_OWNER FAILED_PRECONDITION",
      "INVALID_REQUEST INVALID_ARGUMENT",
    ])
}
