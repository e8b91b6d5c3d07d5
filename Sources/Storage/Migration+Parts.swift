extension Migration {
  /// What of a step is done at once.
  enum Part: Sendable, Equatable {
    /// In one transaction.
    case statements([String])
    /// An index of a table that was there before the step, and that may have many rows.
    case index(NewIndex)
  }

  /// The statements of a step that walks over no table, in order, cut where others must be able to write meanwhile.
  var parts: [Part] {
    let form = /^CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)/
    let created = Set(statements.compactMap { $0.firstMatch(of: form)?.1 })
    var parts: [Part] = []
    for statement in statements {
      if let index = NewIndex(statement), !created.contains(index.table[...]) {
        parts.append(.index(index))
      } else if case .statements(let before) = parts.last {
        parts[parts.count - 1] = .statements(before + [statement])
      } else {
        parts.append(.statements([statement]))
      }
    }
    return parts
  }
}

/// An index that a step makes. It is not unique: rows that programs of the version before write must not be refused.
package struct NewIndex: Sendable, Equatable {
  package let name: String
  package let table: String
  /// Its columns, and of which rows it is: `(a, b) WHERE c = 1`.
  package let definition: String
  /// As the step has it.
  let statement: String

  /// - Returns: nil if the statement is another one.
  init?(_ statement: String) {
    let form = /CREATE\s+INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)\s+ON\s+(\w+)\s*(\(.*)/.dotMatchesNewlines()
    guard let match = statement.wholeMatch(of: form) else { return nil }
    (name, table, definition) = (String(match.1), String(match.2), String(match.3))
    self.statement = statement
  }
}

/// Transactions of an engine that can build an index while others write to its table.
package protocol IndexBuilding {
  /// Builds an index, outside of this transaction: it stays if this one is rolled back. One of this name that is there is
  /// taken for it; what is left of one that was broken off is made anew.
  ///
  /// The transaction must not have touched the table, and has nothing but this to do for long.
  func buildIndex(_ index: NewIndex) throws
}
