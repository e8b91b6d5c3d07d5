import Base
import DomainKit
import Storage

/// Drops accounts that have not proved a contact in time: they are closed, and erased at once like others are after
/// `Closing.delay`. What blocks closing puts that off day by day, and a login takes the account back meanwhile.
struct UnprovedAccounts: Sweep {
  /// How long accounts have time to prove a contact.
  static let patience = Duration.seconds(7 * 86_400)
  /// Accounts that one transaction closes.
  private static let droppedAtOnce = 64

  let core: IdentityCore
  let name = "unproved accounts"

  func step(_ database: any Database) async throws -> Bool {
    let now = core.kit.clock.now()
    let due: [Identifier] = try await database.read { reader in
      try reader.rows(
        "SELECT id FROM identity_users WHERE state = $1 AND drop_at <= $2 ORDER BY drop_at LIMIT $3",
        UserRow.State.new.rawValue, now, Self.droppedAtOnce
      ) { $0[0] }
    }
    if due.isEmpty { return false }
    try await database.write { [core] writer in
      // In one order, as those who exchange contacts take them.
      for id in due.sorted() {
        let isDue = try writer.firstForUpdate(
          "SELECT 1 FROM identity_users WHERE id = $1 AND state = $2 AND drop_at <= $3", id,
          UserRow.State.new.rawValue, now
        ) { _ in true }
        // Proved, or suspended, since it was found.
        guard isDue == true, let user = try UserRow.find(id, in: writer) else { continue }
        _ = try core.closing.close(user, after: .zero, in: writer)
      }
    }
    return true
  }
}

extension IdentityCore {
  /// Gives a new account its time once more; one that stays anyhow stays.
  func prolongNew(_ user: Identifier, in writer: any Writer) throws {
    try writer.execute(
      "UPDATE identity_users SET drop_at = $2 WHERE id = $1 AND drop_at IS NOT NULL", user,
      kit.clock.now() + UnprovedAccounts.patience)
  }
}
