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

  func login(_ request: LoginRequest, _ context: ServerContext) async throws -> LoginResponse {
    if let machine = request.machine { return try await MachineLogin(core: core).login(request, as: machine, context) }
    var faults = Faults()
    for (field, text) in [("login_name", request.loginName), ("password", request.password)] where text.isEmpty {
      faults.note(KitError.invalid(FieldViolation(field: field, description: "required")))
    }
    try faults.throwIfAny()
    let device = try ProvedDevice(request, core)
    let proof = try await LoginProof(
      request, of: request.loginName, password: request.password, device, key: request.device?.publicKey ?? [], core,
      context)
    let core = core
    let complete: @Sendable (inout LoginResponse, any Writer) throws -> Void = { reply, writer in
      // A repeat was counted like any other attempt.
      try proof.succeed(in: writer)
      try reply.user?.addPersonalData(in: writer)
      try reply.session?.addPersonalData(in: writer)
      reply.tokens?.sign(core)
    }
    return try await kit.mutate(request, context, scope: .client(proof.nameHash), complete: complete) { writer in
      try open(by: proof, on: device, at: context.peer.host, in: writer)
    }
  }

  /// Opens a session for somebody who has given the right password.
  private func open(
    by proof: LoginProof, on proved: ProvedDevice?, at address: String, in writer: any Writer
  ) throws -> LoginResponse {
    // The row is held, so that logins at once count each other's sessions and know each other's devices.
    let held = try proof.user(in: writer)
    let user = held.state == .closing ? try core.closing.takeBack(held, in: writer) : held
    guard user.state != .suspended else { throw KitError.accountSuspended }
    let now = kit.clock.now()
    let known = try proved?.known(to: user.id, in: writer)
    let hadDevices = try writer.exists("SELECT 1 FROM identity_devices WHERE user_id = $1", user.id)
    let device = try known ?? proved?.remember(for: user.id, kit, in: writer)
    let row = try core.openSession(
      of: user.id, device: device, named: proved?.name ?? "", isKnown: known != nil, address, in: writer
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
