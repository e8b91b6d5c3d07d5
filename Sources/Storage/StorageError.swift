/// Why storage could not do what it was asked for.
///
/// Texts never hold arguments: they may be personal or secret.
public struct StorageError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What to make of the failure.
  public enum Code: Sendable, Equatable {
    /// A lost race, also after retries; safe to try again.
    case conflict
    /// Somebody else holds the database for too long; safe to try again.
    case busy
    /// More is waiting than allowed; nothing was done.
    case overloaded
    /// The database was closed; nothing was done.
    case closed
    /// The database cannot be reached, or will not serve; nothing was done. Safe to try again.
    case unavailable
    /// The way to the database broke during the commit: whether it happened is unknown. A retry under the same
    /// idempotency key settles it.
    case outcomeUnknown
    /// A unique index holds that key already.
    case uniqueViolation
    /// A row that is referred to is missing, or one to be deleted is referred to.
    case foreignKeyViolation
    /// A CHECK or NOT NULL constraint or the column's type forbids the value.
    case checkViolation
    /// A text holds what no text may on any engine: the character U+0000, or bytes that are not UTF-8.
    case invalidText
    /// There is no room on the disk.
    case diskFull
    /// The disk failed.
    case ioFailure
    /// The files are damaged; restore from a backup.
    case corrupt
    /// Another process has the database open.
    case inUse
    /// Something is there already that was not to be replaced.
    case alreadyExists
    /// The files cannot be opened or created.
    case cannotOpen
    /// The schema is not what the migrations say.
    case schemaMismatch
    /// The program's fault: SQL that does not compile, a wrong number of arguments, a write in a read.
    case invalidStatement
    /// The program's fault: a column was read as another type than it holds.
    case typeMismatch
    /// Memory or another resource ran out, or the engine reported something that has no code of its own.
    case engine
  }

  public var code: Code

  /// What was being done, e.g. `commit` or `step`.
  public var operation: String

  /// The engine's own words and number.
  public var message: String

  /// The statement, without its arguments.
  public var sql: String?

  public init(_ code: Code, operation: String, message: String, sql: String? = nil) {
    self.code = code
    self.operation = operation
    self.message = message
    self.sql = sql
  }

  /// Whether the same call may succeed later without anybody repairing anything.
  public var isTransient: Bool {
    switch code {
    case .conflict, .busy, .overloaded, .unavailable, .outcomeUnknown: true
    default: false
    }
  }

  public var description: String {
    "storage: \(operation): \(code): \(message)" + (sql.map { " [\($0)]" } ?? "")
  }
}
