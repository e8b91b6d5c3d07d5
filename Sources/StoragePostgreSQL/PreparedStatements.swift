internal import Base
internal import Storage

/// The statements that a session has prepared, or will have once it has carried out what was sent.
final class PreparedStatements {
  /// What is known of a statement's text.
  struct Known {
    let parameterCount: Int
    /// By the types of the arguments, as `ArgumentList.signature` packs them: for each a prepared statement's name.
    fileprivate var names: [(signature: UInt64, name: String)] = []

    func name(_ signature: UInt64) -> String? { names.first { $0.signature == signature }?.name }
  }

  private var known: [StatementText: Known] = [:]

  /// The session still has prepared statements that are forgotten here.
  var mustDeallocate = false

  /// Finds a statement, or makes room for it.
  func find(_ text: StatementText) -> Known {
    if let statement = known[text] { return statement }
    if known.count >= PostgreSQLLimits.preparedStatements {
      known = [:]
      mustDeallocate = true
    }
    let statement = Known(parameterCount: SQLText.parameterCount(text.sql))
    known[text] = statement
    return statement
  }

  /// The statement is about to be prepared.
  /// - Returns: its name. It is the same in every session of every process: a pooler that nobody has told of may hand a
  ///   connection a session in which another has prepared its statements.
  func add(_ text: StatementText, _ signature: UInt64) -> String {
    let hash = UInt64(bitPattern: StableHash.of(text.sql))
    let parts = [hash, UInt64(text.sql.utf8.count), signature]
    let name = "octet_" + parts.map { String($0, radix: 36) }.joined(separator: "_")
    known[text]?.names.append((signature, name))
    return name
  }

  /// The statement was not prepared after all.
  func remove(_ text: StatementText, _ signature: UInt64) {
    known[text]?.names.removeAll { $0.signature == signature }
  }
}
