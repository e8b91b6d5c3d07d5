public import Base
public import Storage

/// What a domain keeps about people: what must be settled before somebody may go, what is erased when they have gone,
/// and what they get when they ask what is known of them.
public protocol PersonalRecords: Sendable {
  /// The name of the domain's part of an export, such as `rides`.
  var name: String { get }

  /// What must be settled before a user may close the account, each as one word such as `open_ride`; empty for nothing.
  func blockers(of user: Identifier, in reader: any Reader) throws -> [String]

  /// Erases a part of what is kept about a user, small enough for one transaction. Called until nothing is left, and
  /// again from the beginning after a crash.
  /// - Returns: whether there is more.
  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool

  /// Gives all that is kept about a user, one record after the other, all from one snapshot.
  /// - Parameter record: takes a record: the name of its kind, and its message in protobuf's JSON form.
  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws
}

extension PersonalRecords {
  public func blockers(of user: Identifier, in reader: any Reader) throws -> [String] { [] }
}
