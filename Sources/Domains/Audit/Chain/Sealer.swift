import Base
import Cryptography
import DomainKit
import Storage

/// Chains what was committed, in the order of the records' sequence: of two transactions the one that began after the
/// other had committed comes later. Of several nodes one at a time seals, under a lease.
final class Sealer: Sendable {
  /// Records of one transaction.
  private static let batch = 256
  /// How often it looks for records, those of other nodes too: they are sealed within a second while their sealer lives.
  private static let interval = Duration.milliseconds(500)
  /// Between two signed heads.
  static let headInterval = Duration.seconds(3600)
  private static let leaseName = "audit/sealer"
  /// What the trail says of a signed head, which is a part of the chain itself by that: a head that was dropped is missed.
  static let signed: StaticString = "audit.signed"
  /// For so long a node that has died keeps the others from sealing.
  static let leaseDuration = Duration.seconds(2)
  /// A lease is prolonged when less than this is left of it: so that it does not end while a batch is sealed.
  private static let leaseReserve = Duration.seconds(1)

  private let kit: Kit
  private let key: SigningKey
  private let leases: Leases
  private let lease = Locked<Lease?>(nil)
  private let loop = BackgroundLoop()

  init(kit: Kit, key: SigningKey) {
    self.kit = kit
    self.key = key
    leases = Leases(database: kit.database, clock: kit.clock, random: kit.random)
  }

  func start() {
    loop.start { [self] in
      while !loop.isStopping {
        await round()
        await loop.pause(atMost: Self.interval)
      }
    }
  }

  /// Records what was noted until now, seals what it can, and lets another node seal.
  func stop() async {
    await loop.stop()
    await round()
    if let held = lease.withLock({ $0 }) { try? await leases.release(held) }
  }

  private func round() async {
    do {
      try await recordNotedCalls()
      try await sealAll()
    } catch {
      // What could not be recorded or sealed waits for the next round.
      if !(error is LeaseLost) { kit.log.warning("audit_sealing_failed", ["error": .text("\(error)")]) }
    }
  }

  /// Takes the calls that were noted into the trail.
  func recordNotedCalls() async throws {
    let (entries, dropped) = kit.notedCalls.take()
    if entries.isEmpty && dropped == 0 { return }
    do {
      try await kit.database.write { [kit] writer in
        for entry in entries { try kit.audit.record(entry, in: writer) }
        guard dropped > 0 else { return }
        let entry = AuditEntry(.word("audit.calls_dropped"), by: .server, on: nil, [.count(dropped)])
        try kit.audit.record(entry, in: writer)
      }
    } catch {
      kit.notedCalls.putBack(entries, dropped: dropped)
      throw error
    }
  }

  /// Seals what waits, unless another node does.
  func sealAll() async throws {
    while try await hasWork() {
      guard let lease = try await heldLease() else { return }
      do {
        try await leases.write(under: lease) { [kit, key] writer in
          try Self.seal(kit, key, writer)
        }
      } catch {
        self.lease.withLock { $0 = nil }
        throw error
      }
    }
  }

  private func hasWork() async throws -> Bool {
    let due = kit.clock.now() - Self.headInterval
    return try await kit.database.read { reader in
      if try reader.exists("SELECT 1 FROM audit_records WHERE number IS NULL LIMIT 1") { return true }
      guard let end = try ChainEnd.stored(in: reader) else { return false }
      return try HeadRow.newest(in: reader).map { $0.number < end.number && $0.signedAt <= due } ?? true
    }
  }

  private func heldLease() async throws -> Lease? {
    if let held = lease.withLock({ $0 }), held.expiresAt - kit.clock.now() > Self.leaseReserve { return held }
    let taken = try await leases.acquire(Self.leaseName, for: Self.leaseDuration)
    lease.withLock { $0 = taken }
    return taken
  }

  /// Seals one batch, and signs the end when it is time.
  private static func seal(_ kit: Kit, _ key: SigningKey, _ writer: any Writer) throws {
    let now = kit.clock.now()
    let stored = try ChainEnd.stored(in: writer)
    var end = stored ?? .start
    let waiting = try writer.rows(
      "SELECT \(RecordRow.columns) FROM audit_records WHERE number IS NULL ORDER BY id LIMIT $1", batch,
      make: RecordRow.init)
    for row in waiting {
      end = ChainEnd(number: end.number + 1, hash: row.link(number: end.number + 1, after: end.hash))
      try writer.send(
        "UPDATE audit_records SET number = $2, hash = $3 WHERE id = $1 AND number IS NULL", row.id, end.number, end.hash
      )
    }
    if stored == nil {
      try writer.send("INSERT INTO audit_chain (id, number, hash) VALUES (1, $1, $2)", end.number, end.hash)
    } else {
      try writer.send("UPDATE audit_chain SET number = $1, hash = $2 WHERE id = 1", end.number, end.hash)
    }
    let newest = try HeadRow.newest(in: writer)
    if newest.map({ $0.number < end.number && $0.signedAt <= now - headInterval }) ?? (end.number > 0) {
      try HeadRow(end, at: now, key: key).insert(in: writer)
      try kit.audit.record(AuditEntry(.word(signed), by: .server, on: nil, [.count(Int(end.number))]), in: writer)
    }
  }
}
