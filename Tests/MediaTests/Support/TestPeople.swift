import Base
import DomainKit
import Storage

/// Lets everybody in until their session ends.
final class TestPeople: Authority {
  private let ended = Locked<Set<Identifier>>([])

  func end(_ session: Identifier) { _ = ended.withLock { $0.insert(session) } }

  func hasEnded(_ session: Identifier) -> Bool { ended.withLock { $0.contains(session) } }

  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet { RoleSet() }

  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet { RoleSet() }

  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing {
    if hasEnded(caller.session) { throw KitError.sessionEnded }
    return Standing(provedAt: Instant(seconds: 0))
  }
}

/// Things of another domain: a note is its owner's until it is published.
final class Notes: SubjectKind {
  private struct Note {
    let owner: Identifier
    var isPublic = false
  }

  /// What a thing was told of a file, in the database: what is not committed is told to nobody.
  static let migration = Migration(
    "memos", 1, "what was told",
    sql: "CREATE TABLE memo_news (memo_id INTEGER, slot TEXT, blob_id INTEGER, state TEXT, width INTEGER)")

  let prefix = "memo"
  private let notes = Locked([Identifier: Note]())
  private let afterLook = Locked<(@Sendable () -> Void)?>(nil)
  private let looked = Locked(0)

  /// How often it was asked whether somebody may see one.
  var looks: Int { looked.withLock { $0 } }

  func add(_ id: Identifier, of owner: Identifier, isPublic: Bool) -> SubjectID {
    notes.withLock { $0[id] = Note(owner: owner, isPublic: isPublic) }
    return SubjectID(prefix, id)
  }

  func publish(_ id: Identifier, _ isPublic: Bool) { notes.withLock { $0[id]?.isPublic = isPublic } }

  func remove(_ id: Identifier) { notes.withLock { $0[id] = nil } }

  func settled(_ file: StoredFile, as slot: String, of id: Identifier, in writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO memo_news (memo_id, slot, blob_id, state, width) VALUES ($1, $2, $3, $4, $5)", id, slot, file.blob,
      "\(file.state)", Int64(file.width))
  }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    notes.withLock { $0[id] }.map { SubjectFacts(owner: $0.owner) }
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    looked.withLock { $0 += 1 }
    let isSeen = notes.withLock { $0[id] }.map { $0.isPublic || $0.owner == caller?.user } ?? false
    let act: (@Sendable () -> Void)? = afterLook.withLock { act in
      defer { act = nil }
      return act
    }
    act?()
    return isSeen
  }

  /// Does something right after somebody has looked at a note the next time, before the answer.
  func afterNextLook(_ act: @escaping @Sendable () -> Void) { afterLook.withLock { $0 = act } }
}
