import Base
import Cryptography
import DomainKit
import NotifyAPI
import Storage
import WellKnownTypes

/// A row of `notify_devices`, without its address.
struct DeviceRow: Sendable {
  let id: Identifier
  let createdAt: Instant
}

extension NotifyCore {
  /// The devices of a user, oldest first.
  func devices(of user: Identifier, in reader: any Reader) throws -> [DeviceRow] {
    try reader.rows("SELECT id, created_at FROM notify_devices WHERE user_id = $1 ORDER BY id", user) {
      DeviceRow(id: $0[0], createdAt: $0[1])
    }
  }

  /// Where a user's devices are reached, in clear.
  func deviceAddresses(of user: Identifier, in reader: any Reader) throws -> [(id: Identifier, address: String)] {
    guard let key = try contacts.sealingKey(of: user, in: reader) else { return [] }
    let rows: [(id: Identifier, sealed: [UInt8])] = try reader.rows(
      "SELECT id, sealed FROM notify_devices WHERE user_id = $1 ORDER BY id", user
    ) { ($0[0], $0[1]) }
    return try rows.map { row in
      (row.id, String(decoding: try key.open(row.sealed, context: user.rawValue.bigEndianBytes), as: UTF8.self))
    }
  }

  /// Makes a device a user's, for as long as a session lasts. One that is the user's already goes with this session from
  /// now on; another user's changes hands.
  func register(
    _ address: String, for user: Identifier, in session: Identifier, _ writer: any Writer
  ) throws -> DeviceRow {
    guard let key = try contacts.sealingKey(of: user, in: writer) else { throw KitError.sessionEnded }
    // Held, so that devices that come at once count each other.
    _ = try Inbox.take(user, in: writer)
    let lookup = Hash.blake2b(Array(address.utf8), key: deviceKey)
    let known: (device: DeviceRow, user: Identifier)? = try writer.firstForUpdate(
      "SELECT id, created_at, user_id FROM notify_devices WHERE lookup = $1", lookup
    ) { (DeviceRow(id: $0[0], createdAt: $0[1]), $0[2]) }
    if let known {
      if known.user == user {
        try writer.execute("UPDATE notify_devices SET session_id = $2 WHERE id = $1", known.device.id, session)
        return known.device
      }
      try removeDevice(known.device.id, in: writer)
    }
    let device = DeviceRow(id: kit.identifiers.next(), createdAt: now)
    let inserted = try writer.execute(
      """
      INSERT INTO notify_devices (id, user_id, sealed, lookup, created_at, session_id) VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (lookup) DO NOTHING
      """, device.id, user, key.seal(Array(address.utf8), context: user.rawValue.bigEndianBytes), lookup, now, session)
    // Somebody else was faster; run again, the row will show it.
    guard inserted == 1 else { throw RetryTransaction() }
    for old in try devices(of: user, in: writer).dropLast(limits.devices) { try removeDevice(old.id, in: writer) }
    return device
  }

  func removeDevice(_ device: Identifier, in writer: any Writer) throws {
    try writer.execute("DELETE FROM notify_devices WHERE id = $1", device)
  }
}

/// Whoever logs out on a phone, or is logged out there, is told nothing on it any more.
struct PushSessions: SessionObserver {
  func ended(_ sessions: [Identifier], in writer: any Writer) throws {
    for session in sessions { try writer.execute("DELETE FROM notify_devices WHERE session_id = $1", session) }
  }
}

extension PushDevice {
  init(_ device: DeviceRow) {
    self.init()
    id = device.id.text(kind: IDKind.push)
    createTime = Timestamp(device.createdAt)
  }
}
