import Base
import DomainKit
import Storage

/// A row of `identity_sessions`.
struct SessionRow: Sendable {
  /// A session that is not refreshed for so long has ended.
  static let idleLimit = Duration.seconds(60 * 24 * 3600)
  /// Uses are noted no more often than this, so that a busy session does not write a row per call.
  static let useGrain = Duration.seconds(60)

  /// Why a session ended.
  enum EndReason: Int64, Sendable {
    case logout = 1
    case endedByUser = 2
    case tokenReused = 3
    case tooMany = 4
    case passwordChanged = 5
    case suspended = 6
    case closed = 7
    case credentialRevoked = 8
    case idle = 9
  }

  let id: Identifier
  /// The user, or for a machine its credential.
  let user: Identifier
  let deviceName: String
  let knownDevice: Bool
  let address: String
  /// How often the tokens were renewed.
  let generation: Int64
  let signedInAt: Instant
  /// When the password was last given.
  let provedAt: Instant
  let lastUsedAt: Instant
  /// When the tokens were last renewed: what idleness is counted from.
  let renewedAt: Instant
  let endedAt: Instant?

  static let columns = """
    s.id, s.user_id, s.device_name, s.known_device, s.address, s.generation, s.signed_in_at, s.proved_at, \
    s.last_used_at, s.renewed_at, s.ended_at
    """

  init(_ row: any Row) {
    id = row[0]
    user = row[1]
    deviceName = row[2]
    knownDevice = row[3]
    address = row[4]
    generation = row[5]
    signedInAt = row[6]
    provedAt = row[7]
    lastUsedAt = row[8]
    renewedAt = row[9]
    endedAt = row[10]
  }

  static func find(_ session: Identifier, in reader: any Reader) throws -> SessionRow? {
    try reader.first("SELECT \(columns) FROM identity_sessions s WHERE s.id = $1", session, make: SessionRow.init)
  }

  /// A session, held by this transaction, which is about to end it: alone, and before its row is, which a call under way
  /// may want to change.
  static func findForUpdate(_ session: Identifier, in writer: any Writer) throws -> SessionRow? {
    try writer.lock(StandingLock.session, session.rawValue, .exclusive)
    return try writer.firstForUpdate(
      "SELECT \(columns) FROM identity_sessions s WHERE s.id = $1", session, make: SessionRow.init)
  }

  /// The epoch of the grants that the newest pair of tokens carries, if a request with this hash bought it: the row knows
  /// the last refresh for as long as there is something to repeat, which no retention of request_ids is.
  func epoch(renewedBy hash: [UInt8], in reader: any Reader) throws -> Int64? {
    try reader.first(
      "SELECT renewed_epoch FROM identity_sessions WHERE id = $1 AND generation = $2 AND renewed_by = $3", id,
      generation, hash
    ) { $0[0] }
  }

  /// Whether its tokens still work.
  func isLive(at now: Instant) -> Bool {
    endedAt == nil && now - renewedAt < Self.idleLimit
  }
}
