internal import Base

/// One step of the schema's history. Steps only go forward; once released, a step never changes.
///
/// The SQL is in the dialect that all engines understand or translate:
/// - Columns are `INTEGER` (64 bits), `REAL` (double), `TEXT` or `BLOB`; instants are INTEGER nanoseconds, booleans
///   INTEGER 0 or 1. SQLite checks the types too (its tables become STRICT).
/// - `INTEGER PRIMARY KEY` is the row's own number, given by the engine when left out; with `AUTOINCREMENT`, a deleted
///   row's number never comes back. A table with another
///   primary key ends in `WITHOUT ROWID`: its rows are stored in the order of the key.
/// - No DEFERRABLE constraints (they would fail at the commit, which many transactions share), no triggers.
///
/// A step must leave the database usable for the version before it, which may still be serving: add first, move the
/// data next, remove in a later release.
public struct Migration: Sendable {
  /// Whose tables these are: `storage`, `rides`, … Each component counts its own steps.
  public let component: String

  /// 1, 2, 3 … without gaps within the component.
  public let number: Int

  /// What the step does, for people.
  public let name: String

  /// The statements, in order.
  public let statements: [String]

  /// - Parameter sql: one or more statements with semicolons between them.
  public init(_ component: String, _ number: Int, _ name: String, sql: String) {
    precondition(number > 0, "migrations are numbered from 1")
    self.component = component
    self.number = number
    self.name = name
    statements = SQLText.statements(sql)
    precondition(!statements.isEmpty, "migration \(component) \(number) is empty")
  }

  /// Tells whether a step has been edited after it was applied. Comments and blank lines between statements are free.
  var checksum: Int64 {
    var hash = StableHash()
    for statement in statements {
      hash.combine(statement.utf8)
      hash.combine([0])
    }
    return hash.value
  }
}
