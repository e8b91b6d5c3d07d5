import Base
import Storage

/// A row of `social_restraints`: that an account may not post, by one decision. What counts is the one of them that ends last;
/// it alone is in `social_restrictions`, where each post looks.
struct RestraintRow: Sendable {
  let user: Identifier
  let decision: Identifier
  let until: Instant
  let madeBy: Identifier
  let createdAt: Instant

  init(user: Identifier, by decision: DecisionRow, until: Instant) {
    self.user = user
    self.decision = decision.id
    self.until = until
    madeBy = decision.author
    createdAt = decision.createdAt
  }

  private init(_ row: any Row) {
    user = row[0]
    decision = row[1]
    until = row[2]
    madeBy = row[3]
    createdAt = row[4]
  }

  func insert(in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO social_restraints (user_id, decision_id, until, made_by, created_at) VALUES ($1, $2, $3, $4, $5)
      """, user, decision, until, madeBy, createdAt)
    try count(in: writer)
  }

  /// Lets it count, if none counts that ends later.
  private func count(in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO social_restrictions (user_id, until, made_by, created_at) VALUES ($1, $2, $3, $4)
      ON CONFLICT (user_id) DO UPDATE SET until = excluded.until, made_by = excluded.made_by,
        created_at = excluded.created_at
        WHERE social_restrictions.until < excluded.until
      """, user, until, madeBy, createdAt)
  }

  /// Takes back what one decision has restrained; the others stand.
  static func lift(from user: Identifier, by decision: DecisionRow, in writer: any Writer) throws {
    // First what counts, so that one that is added meanwhile is seen below or counts afterwards.
    let counting = try writer.firstForUpdate(
      "SELECT made_by, created_at FROM social_restrictions WHERE user_id = $1", user
    ) { (madeBy: $0[0] as Identifier, createdAt: $0[1] as Instant) }
    try writer.execute(
      "DELETE FROM social_restraints WHERE user_id = $1 AND decision_id = $2", user, decision.id)
    // It was lifted, or another one counts.
    guard let counting, counting == (decision.author, decision.createdAt) else { return }
    try writer.execute("DELETE FROM social_restrictions WHERE user_id = $1", user)
    let longest = try writer.first(
      """
      SELECT user_id, decision_id, until, made_by, created_at FROM social_restraints
      WHERE user_id = $1 ORDER BY until DESC, decision_id LIMIT 1
      """, user, make: RestraintRow.init)
    try longest?.count(in: writer)
  }

  /// Takes back all that restrains an account.
  static func liftAll(from user: Identifier, in writer: any Writer) throws {
    try writer.execute("DELETE FROM social_restrictions WHERE user_id = $1", user)
    try writer.execute("DELETE FROM social_restraints WHERE user_id = $1", user)
  }
}
