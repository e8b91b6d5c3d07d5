import Base
import Blobs
import DomainKit
import Storage

/// Uploads of users and what became of them, in memory; all are complete.
final class TestFiles: Files {
  struct Part: Hashable {
    let blob: Identifier
    let subject: SubjectID
    let slot: String
  }

  private struct State {
    var owners: [Identifier: Identifier] = [:]
    var parts: Set<Part> = []
  }

  private let identifiers: IdentifierGenerator
  private let state = Locked(State())

  init(identifiers: IdentifierGenerator) { self.identifiers = identifiers }

  /// A new upload of a user's.
  func upload(of user: String) -> String {
    let upload = identifiers.next()
    state.withLock { $0.owners[upload] = try? Identifier.parse(user, kind: "user") }
    return upload.text(kind: "upl")
  }

  /// What is a part of something.
  var parts: Set<Part> { state.withLock { $0.parts } }

  func attach(
    _ file: FileSource, of user: Identifier, to subject: SubjectID, as slot: String, _ rules: FileRules,
    in writer: any Writer
  ) throws -> StoredFile {
    guard case .upload(let upload) = file, let kind = rules.kinds.first else { throw KitError.notFound("upload") }
    guard state.withLock({ $0.owners[upload] }) == user else { throw KitError.notFound("upload") }
    writer.afterCommit { [state] in
      state.withLock { _ = $0.parts.insert(Part(blob: upload, subject: subject, slot: slot)) }
    }
    return StoredFile(
      blob: upload, kind: kind, state: .ready, length: 1, contentType: "image/png", width: 0, height: 0, duration: nil)
  }

  func publish(
    _ content: BlobInfo, kind: FileKind, for user: Identifier, in subject: SubjectID, as slot: String,
    _ writer: any Writer
  ) throws -> StoredFile {
    let blob = identifiers.next()
    writer.afterCommit { [state] in
      state.withLock { _ = $0.parts.insert(Part(blob: blob, subject: subject, slot: slot)) }
    }
    return StoredFile(
      blob: blob, kind: kind, state: .ready, length: Int64(content.size), contentType: "application/octet-stream",
      width: 0, height: 0, duration: nil)
  }

  func detach(_ blob: Identifier, from subject: SubjectID, as slot: String, in writer: any Writer) throws -> Bool {
    let part = Part(blob: blob, subject: subject, slot: slot)
    writer.afterCommit { [state] in state.withLock { _ = $0.parts.remove(part) } }
    return parts.contains(part)
  }

  func sign(
    _ blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?,
    for viewer: Identifier, _ reader: any Reader
  ) throws -> SignedPath? {
    guard parts.contains(Part(blob: blob, subject: subject, slot: slot)) else { return nil }
    return SignedPath(path: "/media/\(blob)/\(rendition ?? "original")", expiresAt: Instant(seconds: 2_000_000_000))
  }

  func file(_ blob: Identifier, in reader: any Reader) throws -> StoredFile? { nil }

  func renditions(
    of blob: Identifier, in subject: SubjectID, as slot: String, _ reader: any Reader
  ) throws -> FileRenditions? { nil }

  func content(
    of blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?, _ reader: any Reader
  ) throws -> BlobInfo? { nil }
}
