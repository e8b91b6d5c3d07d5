import Base
import Blobs
import DomainKit
import Storage

/// Who has blocked or muted whom, and who may not post, as a test says.
final class Quarrels: Community {
  private struct State {
    var blocks: Set<[Identifier]> = []
    var mutes: Set<[Identifier]> = []
    var restrictions: [Identifier: Instant] = [:]
  }

  private let state = Locked(State())

  func block(_ user: Identifier, _ other: Identifier) { _ = state.withLock { $0.blocks.insert([user, other]) } }

  func mute(_ user: Identifier, _ other: Identifier) { _ = state.withLock { $0.mutes.insert([user, other]) } }

  /// Everybody speaks with everybody again.
  func reconcile() { state.withLock { $0 = State() } }

  func restrict(_ user: Identifier, until: Instant) { state.withLock { $0.restrictions[user] = until } }

  func isBlocked(_ a: Identifier, _ b: Identifier, in reader: any Reader) throws -> Bool {
    state.withLock { $0.blocks.contains([a, b]) || $0.blocks.contains([b, a]) }
  }

  func hasMuted(_ user: Identifier, _ other: Identifier, in reader: any Reader) throws -> Bool {
    state.withLock { $0.mutes.contains([user, other]) }
  }

  func isFollowing(_ user: Identifier, _ subject: SubjectID, in reader: any Reader) throws -> Bool { false }

  func restriction(of user: Identifier, in reader: any Reader) throws -> Instant? {
    state.withLock { $0.restrictions[user] }
  }
}

/// Uploads that have become parts of messages, in memory.
final class Attachments: Files {
  private struct State {
    var owners: [Identifier: Identifier] = [:]
    var parts: Set<String> = []
  }

  private let state = Locked(State())

  /// What is a part of what, and as which one.
  var parts: Set<String> { state.withLock { $0.parts } }

  /// An upload of a user's, with this number.
  func upload(_ number: Int64, of user: Identifier) -> String {
    let upload = Identifier(rawValue: number)
    state.withLock { $0.owners[upload] = user }
    return upload.text(kind: "upl")
  }

  private func part(_ blob: Identifier, _ subject: SubjectID, _ slot: String) -> String {
    "\(blob.text(kind: "blob")) \(subject.text) \(slot)"
  }

  func attach(
    _ file: FileSource, of user: Identifier, to subject: SubjectID, as slot: String, _ rules: FileRules,
    in writer: any Writer
  ) throws -> StoredFile {
    guard case .upload(let id) = file, state.withLock({ $0.owners[id] }) == user else {
      throw KitError.notFound("upload")
    }
    let part = part(id, subject, slot)
    writer.afterCommit { [state] in state.withLock { _ = $0.parts.insert(part) } }
    return StoredFile(
      blob: id, kind: .image, state: .ready, length: 1, contentType: "image/png", width: 0, height: 0, duration: nil)
  }

  func detach(_ blob: Identifier, from subject: SubjectID, as slot: String, in writer: any Writer) throws -> Bool {
    let part = part(blob, subject, slot)
    writer.afterCommit { [state] in state.withLock { _ = $0.parts.remove(part) } }
    return parts.contains(part)
  }

  func publish(
    _ content: BlobInfo, kind: FileKind, for user: Identifier, in subject: SubjectID, as slot: String,
    _ writer: any Writer
  ) throws -> StoredFile { throw KitError.notFound("blob") }

  func sign(
    _ blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?, for viewer: Identifier,
    _ reader: any Reader
  ) throws -> SignedPath? { nil }

  func file(_ blob: Identifier, in reader: any Reader) throws -> StoredFile? { nil }

  func renditions(
    of blob: Identifier, in subject: SubjectID, as slot: String, _ reader: any Reader
  ) throws -> FileRenditions? { nil }

  func content(
    of blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?, _ reader: any Reader
  ) throws -> BlobInfo? { nil }
}
