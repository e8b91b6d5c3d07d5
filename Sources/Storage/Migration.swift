internal import Base

/// One step of the schema's history. Steps only go forward; once released, a step never changes.
///
/// The SQL is in the dialect that all engines understand or translate:
/// - Types and other keywords are written in upper case, names in lower case.
/// - Columns are `INTEGER` (64 bits), `REAL` (double), `TEXT` or `BLOB`; instants are INTEGER nanoseconds, booleans
///   INTEGER 0 or 1. SQLite checks the types too (its tables become STRICT).
/// - `INTEGER PRIMARY KEY` is the row's own number, given by the engine when left out; with `AUTOINCREMENT`, a deleted
///   row's number never comes back. A table with another
///   primary key ends in `WITHOUT ROWID`: its rows are stored in the order of the key.
/// - An index of a table that an earlier step has made is a statement of its own: `CREATE INDEX name ON table (…) …`. It is
///   built beside those who write to the table, and the step is then more than one transaction: `parts`.
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

  /// The statements, in order. Of a step that moves data, one that does so for the rows of one batch.
  public let statements: [String]

  /// What a step that moves data walks over; nil for one that runs in a single transaction.
  let walk: Walk?

  /// A walk over a table by the first column of its primary key, which must be an INTEGER.
  struct Walk: Sendable {
    let table: String
    let key: String
    let rowsAtOnce: Int
  }

  /// - Parameter sql: one or more statements with semicolons between them.
  public init(_ component: String, _ number: Int, _ name: String, sql: String) {
    precondition(number > 0, "migrations are numbered from 1")
    self.component = component
    self.number = number
    self.name = name
    walk = nil
    statements = SQLText.statements(sql)
    precondition(!statements.isEmpty, "migration \(component) \(number) is empty")
  }

  /// A step that moves the data of a large table, in small transactions, so that nobody waits long for its locks. It
  /// counts as applied when all rows have been walked over. If the program ends before that, or is killed, the next one
  /// goes on where it was.
  ///
  /// Programs of the version before go on writing meanwhile. What they add behind the walk is not moved: the new version
  /// must understand both forms, until a later release.
  /// - Parameters:
  ///   - table: whose rows are walked over in the order of `key`, the first column of its primary key, an INTEGER.
  ///   - rowsAtOnce: rows in a transaction. A few hundred take some milliseconds.
  ///   - sql: one statement for the rows whose key is above `$1` and at most `$2`. It must leave the keys as they are.
  public init(
    _ component: String, _ number: Int, _ name: String, walking table: String, by key: String, rowsAtOnce: Int = 256,
    sql: String
  ) {
    precondition(number > 0, "migrations are numbered from 1")
    precondition(rowsAtOnce > 0, "a walk takes steps")
    self.component = component
    self.number = number
    self.name = name
    walk = Walk(table: table, key: key, rowsAtOnce: rowsAtOnce)
    statements = SQLText.statements(sql)
    precondition(
      statements.count == 1 && SQLText.parameterCount(sql) == 2,
      "migration \(component) \(number) needs one statement with the bounds $1 and $2")
  }

  /// Tells whether a step has been edited after it was applied. Comments and blank lines between statements are free.
  var checksum: Int64 {
    var hash = StableHash()
    for statement in statements {
      hash.combine(statement.utf8)
      hash.combine([0])
    }
    if let walk {
      hash.combine(walk.table.utf8)
      hash.combine([0])
      hash.combine(walk.key.utf8)
    }
    return hash.value
  }
}
