import Base
import DomainKit
import Storage

/// The caller's own password, given once more. Failures are counted by session, so that nobody who only knows the name
/// can keep its owner from it.
struct PasswordProof: Sendable {
  /// The caller, as he was when the password was checked.
  let user: UserRow
  /// Whether it was the right one.
  let fits: Bool
  private let throttle: LoginThrottle

  /// Checks a password.
  /// - Throws: `KitError.rateLimited` after too many wrong ones; `.overloaded`.
  init(_ password: String, of caller: Caller, _ core: IdentityCore) async throws {
    let (user, throttle, admission) = try await core.kit.database.write { writer in
      guard let user = try UserRow.find(caller.user, in: writer) else { throw KitError.sessionEnded }
      let throttle = LoginThrottle(
        name: core.loginNameHash(.handle(user.handle.lowercased())), knownDevice: caller.session)
      return (user, throttle, try throttle.begin(now: core.kit.clock.now(), answers: nil, in: writer))
    }
    if case .refused(let wait) = admission { throw KitError.rateLimited(after: wait) }
    self.user = user
    self.throttle = throttle
    fits = try await core.passwords.verify(password, against: user.passwordHash)
  }

  /// The caller, held by this transaction, if the password was right and still is.
  /// - Throws: `IdentityError.wrongCredentials`.
  func confirm(in writer: any Writer) throws -> UserRow {
    guard fits, let now = try UserRow.findForUpdate(user.id, in: writer), now.passwordHash == user.passwordHash else {
      throw IdentityError.wrongCredentials
    }
    return now
  }

  /// Forgets the failures.
  func noteSuccess(in writer: any Writer) throws { try throttle.succeed(in: writer) }
}
