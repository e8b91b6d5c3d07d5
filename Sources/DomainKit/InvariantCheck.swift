public import Storage

/// What was found out about one invariant of a domain, on one snapshot of the database.
public struct InvariantCheck: Sendable, Equatable {
  /// How many violations are named at most.
  public static let shownLimit = 20

  /// The number on the domain's page.
  public let number: Int
  /// The invariant, in a sentence.
  public let statement: String
  /// How many rows were looked at.
  public let rowsChecked: Int
  /// How many were found to break it; a check may stop looking at `shownLimit`.
  public let violationCount: Int
  /// What breaks it, by printed id; at most `shownLimit`.
  public let violations: [String]
  /// Which snapshot it was: `Audit.sequence`. 0 for what is not read on one.
  public fileprivate(set) var snapshotSequence: Int64 = 0

  public init(number: Int, statement: String, rowsChecked: Int, violations: [String]) {
    self.number = number
    self.statement = statement
    self.rowsChecked = rowsChecked
    violationCount = violations.count
    self.violations = Array(violations.prefix(Self.shownLimit))
  }

  /// Whether the invariant holds.
  public var holds: Bool { violations.isEmpty }
}

extension Kit {
  /// Checks the invariants of a domain on one snapshot, and says which one that was.
  public func checkOnSnapshot(
    _ body: @escaping @Sendable (any Reader) throws -> [InvariantCheck]
  ) async throws -> [InvariantCheck] {
    try await database.read { [audit] reader in
      let sequence = try audit.sequence(in: reader)
      return try body(reader).map { check in
        var check = check
        check.snapshotSequence = sequence
        return check
      }
    }
  }
}
