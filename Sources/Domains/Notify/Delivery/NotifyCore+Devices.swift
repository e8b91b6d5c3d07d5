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
  /// What its owner calls it; may be empty.
  var name: String
  /// The session that it goes with; nil for one that an older program registered.
  var session: Identifier?

  static let columns = "id, created_at, name, session_id"

  init(id: Identifier, createdAt: Instant, name: String, session: Identifier?) {
    (self.id, self.createdAt, self.name, self.session) = (id, createdAt, name, session)
  }

  init(_ row: any Row) { self.init(id: row[0], createdAt: row[1], name: row[2], session: row[3]) }
}

extension NotifyCore {
  /// The devices of a user, oldest first.
  func devices(of user: Identifier, in reader: any Reader) throws -> [DeviceRow] {
    try reader.rows(
      "SELECT \(DeviceRow.columns) FROM notify_devices WHERE user_id = $1 ORDER BY id", user, make: DeviceRow.init)
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
  /// - Parameter name: what the user calls it; empty leaves the name that it has.
  func register(
    _ address: String, named name: String, for user: Identifier, in session: Identifier, _ writer: any Writer
  ) throws -> DeviceRow {
    guard let key = try contacts.sealingKey(of: user, in: writer) else { throw KitError.sessionEnded }
    // Held, so that devices that come at once count each other.
    _ = try Inbox.take(user, in: writer)
    let lookup = Hash.blake2b(Array(address.utf8), key: deviceKey)
    let known: (device: DeviceRow, user: Identifier)? = try writer.firstForUpdate(
      "SELECT \(DeviceRow.columns), user_id FROM notify_devices WHERE lookup = $1", lookup
    ) { (DeviceRow($0), $0[4]) }
    if let known {
      if known.user == user {
        var device = known.device
        device.session = session
        if !name.isEmpty { device.name = name }
        try writer.execute(
          "UPDATE notify_devices SET session_id = $2, name = $3 WHERE id = $1", device.id, session, device.name)
        return device
      }
      try removeDevice(known.device.id, in: writer)
    }
    let device = DeviceRow(id: kit.identifiers.next(), createdAt: now, name: name, session: session)
    let inserted = try writer.execute(
      """
      INSERT INTO notify_devices (id, user_id, sealed, lookup, created_at, session_id, name)
      VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (lookup) DO NOTHING
      """, device.id, user, key.seal(Array(address.utf8), context: user.rawValue.bigEndianBytes), lookup, now, session,
      name)
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
  /// - Parameter session: of who asks; nil for nobody's.
  init(_ device: DeviceRow, askedIn session: Identifier?) {
    self.init()
    id = device.id.text(kind: IDKind.push)
    createTime = Timestamp(device.createdAt)
    name = device.name
    current = session != nil && device.session == session
  }
}
