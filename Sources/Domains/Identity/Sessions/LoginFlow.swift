import Base
import Cryptography
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage

/// SessionService.Login.
///
/// Nothing that can be seen from outside depends on whether somebody has the name, until the password was right: the
/// same statements run, the same work is done, the same failures are counted.
struct LoginFlow: Sendable {
  let core: IdentityCore

  private var kit: Kit { core.kit }

  private struct Attempt: Sendable {
    let name: LoginName
    let nameHash: [UInt8]
    let device: ProvedDevice?
    let address: String
    /// Whether its address logs in so often that it has to answer a challenge.
    let isChallenged: Bool
    /// The solution of a challenge that it carries.
    let solution: ChallengeDesk.Solution?
  }

  private struct Candidate: Sendable {
    let user: UserRow?
    let throttle: LoginThrottle
    let admission: LoginThrottle.Admission
  }

  func login(_ request: LoginRequest, _ context: ServerContext) async throws -> LoginResponse {
    if let machine = request.machine { return try await MachineLogin(core: core).login(request, as: machine, context) }
    for (field, text) in [("login_name", request.loginName), ("password", request.password)] where text.isEmpty {
      throw KitError.invalid(FieldViolation(field: field, description: "required"))
    }
    let name = LoginName(request.loginName)
    let attempt = Attempt(
      name: name, nameHash: core.loginNameHash(name), device: try ProvedDevice(request, core),
      address: context.peer.host, isChallenged: core.challenges.isAboveRate(context),
      solution: try await core.challenges.solution(
        in: context, for: request, device: core.challengedDevice(request.device?.publicKey ?? [])))
    let candidate = try await begin(attempt)
    switch candidate.admission {
    case .admitted: break
    case .challenged: throw ChallengeDesk.refusal(of: context)
    case .refused(let wait): throw KitError.rateLimited(after: wait)
    }
    let fits = try await core.passwords.verify(request.password, against: candidate.user?.passwordHash)
    guard fits, let user = candidate.user else { throw IdentityError.wrongCredentials }
    let core = core
    let complete: @Sendable (inout LoginResponse, any Writer) throws -> Void = { reply, writer in
      // A repeat was counted like any other attempt.
      try candidate.throttle.succeed(in: writer)
      try reply.user?.addPersonalData(in: writer)
      try reply.session?.addPersonalData(in: writer)
      reply.tokens?.sign(core)
    }
    return try await kit.mutate(request, context, scope: .client(attempt.nameHash), complete: complete) { writer in
      try open(for: user, attempt, in: writer)
    }
  }

  /// Finds who may be meant, and counts the attempt before it is judged.
  private func begin(_ attempt: Attempt) async throws -> Candidate {
    let core = core
    return try await kit.database.write { writer in
      let user =
        switch attempt.name {
        case .handle(let key): try UserRow.find(handleKey: key, in: writer)
        case .contact(let contact):
          try UserRow.find(contactKind: contact.kind, lookup: core.lookup(contact), in: writer)
        }
      let known = try attempt.device?.known(to: user?.id, in: writer)
      let throttle = LoginThrottle(name: attempt.nameHash, knownDevice: known)
      let answers = { try attempt.solution.map { try core.challenges.spend($0, in: writer) } ?? false }
      let admission =
        if try attempt.isChallenged && !answers() {
          LoginThrottle.Admission.challenged
        } else {
          try throttle.begin(now: core.kit.clock.now(), answers: answers, in: writer)
        }
      return Candidate(user: user, throttle: throttle, admission: admission)
    }
  }

  /// Opens a session for somebody who has given the right password.
  private func open(for seen: UserRow, _ attempt: Attempt, in writer: any Writer) throws -> LoginResponse {
    // Between the check of the password and this transaction the account may have changed. The row is held, so that
    // logins at once count each other's sessions and know each other's devices.
    guard let held = try UserRow.findForUpdate(seen.id, in: writer), held.passwordHash == seen.passwordHash else {
      throw IdentityError.wrongCredentials
    }
    let user = held.state == .closing ? try core.closing.takeBack(held, in: writer) : held
    guard user.state != .suspended else { throw KitError.accountSuspended }
    let now = kit.clock.now()
    let known = try attempt.device?.known(to: user.id, in: writer)
    let hadDevices = try writer.exists("SELECT 1 FROM identity_devices WHERE user_id = $1", user.id)
    let device = try known ?? attempt.device?.remember(for: user.id, kit, in: writer)
    let row = try core.openSession(
      of: user.id, device: device, named: attempt.device?.name ?? "", isKnown: known != nil, attempt.address, in: writer
    )
    if hadDevices && known == nil { try core.tellOfDevice(row, in: writer) }
    var response = LoginResponse()
    response.user = User(stored: user)
    response.session = Session(stored: row, at: now, current: true)
    response.tokens = SessionTokens(unsigned: .user(user.id), epoch: user.grantsEpoch, row, now: now)
    return response
  }
}

/// A device that has proved its key.
struct ProvedDevice: Sendable {
  let name: String
  private let hash: [UInt8]?

  /// Nil for a login without a device.
  /// - Throws: `IdentityError.badSignature`.
  init?(_ request: LoginRequest, _ core: IdentityCore) throws(IdentityError) {
    guard let device = request.device else { return nil }
    name = device.name
    guard !device.publicKey.isEmpty || !device.signature.isEmpty else {
      hash = nil
      return
    }
    guard
      SigningKey.isValid(device.signature, of: Array(request.requestID.utf8), publicKey: device.publicKey)
    else { throw .badSignature }
    hash = core.deviceHash(device.publicKey)
  }

  /// The device's id if the user has signed in on it before.
  func known(to user: Identifier?, in reader: any Reader) throws -> Identifier? {
    guard let hash else { return nil }
    // Nobody's id is 0: an unknown name costs the same look-up.
    return try reader.first(
      "SELECT id FROM identity_devices WHERE user_id = $1 AND device_hash = $2",
      user ?? Identifier(rawValue: 0), hash
    ) { $0[0] }
  }

  /// Makes the device known to the user; nil if it has no key to be known by.
  func remember(for user: Identifier, _ kit: Kit, in writer: any Writer) throws -> Identifier? {
    guard let hash else { return nil }
    let id = kit.identifiers.next()
    try writer.execute(
      "INSERT INTO identity_devices (user_id, device_hash, id, first_seen_at) VALUES ($1, $2, $3, $4)",
      user, hash, id, kit.clock.now())
    return id
  }
}
