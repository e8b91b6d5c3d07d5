public import Base
public import Blobs
public import Storage

/// What a domain keeps about people: what must be settled before somebody may go, what is erased when they have gone,
/// and what they get when they ask what is known of them.
public protocol PersonalRecords: Sendable {
  /// The name of the domain's part of an export, such as `rides`.
  var name: String { get }

  /// What must be settled before a user may close the account, each as one word such as `open_ride`; empty for nothing.
  /// In the transaction that closes the account, which may hold what it finds.
  func blockers(of user: Identifier, in writer: any Writer) throws -> [String]

  /// Erases a part of what is kept about a user, small enough for one transaction. Called until nothing is left, and
  /// again from the beginning after a crash.
  /// - Returns: whether there is more.
  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool

  /// Gives all that is kept about a user, one record after the other, all from one snapshot.
  /// - Parameter record: takes a record: the name of its kind, and its message in protobuf's JSON form.
  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws

  /// The contents that belong to a user and go into the export beside the records, as of the same snapshot.
  func blobs(of user: Identifier, in reader: any Reader) throws -> [BlobInfo]
}

extension PersonalRecords {
  public func blockers(of user: Identifier, in writer: any Writer) throws -> [String] { [] }

  public func blobs(of user: Identifier, in reader: any Reader) throws -> [BlobInfo] { [] }
}

/// The personal records of all domains of this server.
///
/// Filled once, before the first call; safe to share between threads.
public final class PersonalRecordsRegistry: Sendable {
  private let records = Locked([any PersonalRecords]())

  public init() {}

  /// Adds those of a domain. Each name is there once.
  public func register(_ added: any PersonalRecords) {
    records.withLock { records in
      precondition(records.allSatisfy { $0.name != added.name }, "two domains with personal records of \(added.name)")
      records.append(added)
    }
  }

  /// All of them, in the order in which they were added.
  public var all: [any PersonalRecords] { records.withLock { $0 } }
}
