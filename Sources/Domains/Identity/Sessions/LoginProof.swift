import Base
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage

/// Somebody without a session has given the password of an account.
///
/// Nothing that can be seen from outside depends on whether somebody has the name, until the password was right: the
/// same statements run, the same work is done, the same failures are counted, whichever method asks for the proof.
struct LoginProof: Sendable {
  /// A keyed hash of the name: whose request it is, as long as nobody is signed in.
  let nameHash: [UInt8]
  private let seen: UserRow
  private let throttle: LoginThrottle

  private struct Candidate: Sendable {
    let user: UserRow?
    let throttle: LoginThrottle
    let admission: LoginThrottle.Admission
  }

  /// Counts the attempt, and judges it.
  /// - Parameters:
  ///   - request: that asks for it.
  ///   - device: that it was made on, and has proved its `key`; nil for none.
  /// - Throws: `IdentityError.wrongCredentials`; `KitError.challengeRequired`, `.rateLimited`.
  init(
    _ request: some MutatingRequest, of loginName: String, password: String, _ device: ProvedDevice?, key: [UInt8],
    _ core: IdentityCore, _ context: ServerContext
  ) async throws {
    let name = LoginName(loginName)
    let nameHash = core.loginNameHash(name)
    // Whether its address asks so often that it has to answer a challenge.
    let isChallenged = core.challenges.isAboveRate(context)
    let solution = try await core.challenges.solution(in: context, for: request, device: core.challengedDevice(key))
    // Finds who may be meant, and counts the attempt before it is judged.
    let candidate = try await core.kit.database.write { writer in
      let user =
        switch name {
        case .handle(let key): try UserRow.find(handleKey: key, in: writer)
        case .contact(let contact):
          try UserRow.find(contactKind: contact.kind, lookup: core.lookup(contact), in: writer)
        }
      let known = try device?.known(to: user?.id, in: writer)
      let throttle = LoginThrottle(name: nameHash, knownDevice: known)
      let answers = { try solution.map { try core.challenges.spend($0, in: writer) } ?? false }
      let admission =
        if try isChallenged && !answers() {
          LoginThrottle.Admission.challenged
        } else {
          try throttle.begin(now: core.kit.clock.now(), answers: answers, in: writer)
        }
      return Candidate(user: user, throttle: throttle, admission: admission)
    }
    switch candidate.admission {
    case .admitted: break
    case .challenged: throw ChallengeDesk.refusal(of: context)
    case .refused(let wait): throw KitError.rateLimited(after: wait)
    }
    let fits = try await core.passwords.verify(password, against: candidate.user?.passwordHash)
    guard fits, let user = candidate.user else { throw IdentityError.wrongCredentials }
    (self.nameHash, seen, throttle) = (nameHash, user, candidate.throttle)
  }

  /// The user, held by this transaction: since the check of the password the account may have changed.
  /// - Throws: `IdentityError.wrongCredentials` if it has another password by now.
  func user(in writer: any Writer) throws -> UserRow {
    guard let held = try UserRow.findForUpdate(seen.id, in: writer), held.passwordHash == seen.passwordHash else {
      throw IdentityError.wrongCredentials
    }
    return held
  }

  /// Takes back that the attempt was counted as failed; also with a repeat, which was counted like any other.
  func succeed(in writer: any Writer) throws { try throttle.succeed(in: writer) }
}
