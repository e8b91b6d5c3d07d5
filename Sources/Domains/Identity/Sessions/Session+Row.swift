import Base
import Cryptography
import DomainKit
import IdentityAPI
import Storage
import WellKnownTypes

extension Session {
  /// The part that a stored reply may hold: nothing personal.
  init(stored row: SessionRow, at now: Instant, current: Bool) {
    self.init()
    id = row.id.text(kind: IDKind.session)
    knownDevice = row.knownDevice
    state = row.isLive(at: now) ? .live : .ended
    signInTime = Timestamp(row.signedInAt)
    lastUseTime = Timestamp(row.lastUsedAt)
    proofTime = Timestamp(row.provedAt)
    self.current = current
  }

  /// Adds what tells something of the person.
  mutating func addPersonalData(_ row: SessionRow) {
    deviceName = row.deviceName
    signInAddress = row.address
  }

  /// Completes a stored reply.
  @Sendable static func addPersonalData(_ session: inout Session, in reader: any Reader) throws {
    try session.addPersonalData(in: reader)
  }

  /// The same from the session's row.
  mutating func addPersonalData(in reader: any Reader) throws {
    guard let row = try SessionRow.find(Identifier(id, kind: IDKind.session, field: "id"), in: reader) else { return }
    addPersonalData(row)
  }
}

extension SessionTokens {
  /// A pair without its proofs: a stored reply may hold it.
  /// - Parameter epoch: of the holder's grants.
  init(unsigned holder: Holder, epoch: Int64 = 0, _ session: SessionRow, now: Instant) {
    let access = AccessToken(
      user: holder.id, session: session.id, epoch: epoch, expiresAt: now + AccessToken.lifetime,
      isMachine: holder.isMachine)
    self.init()
    accessToken = access.unsignedText
    accessExpireTime = Timestamp(access.expiresAt)
    refreshToken = RefreshToken(session: session.id, generation: session.generation).unsignedText
    refreshExpireTime = Timestamp(now + SessionRow.idleLimit)
  }

  /// Adds the proofs, the same ones each time.
  mutating func sign(_ core: IdentityCore) {
    accessToken = AccessToken.sign(accessToken, keys: core.kit.keys)
    refreshToken = RefreshToken.sign(refreshToken, key: core.refreshKey)
  }
}
