public import Base
public import Blobs
public import DomainKit
public import Storage

/// Uploads of users and what became of them, in memory, for the tests of domains that attach files: all are complete
/// pictures of one byte.
public final class FilesInMemory: Files {
  /// What is a part of something, and as which one.
  public struct Part: Hashable, Sendable {
    public let blob: Identifier
    public let subject: SubjectID
    public let slot: String
  }

  private struct State {
    var owners: [Identifier: Identifier] = [:]
    var parts: Set<Part> = []
  }

  private let identifiers: IdentifierGenerator
  private let state = Locked(State())

  public init(identifiers: IdentifierGenerator) { self.identifiers = identifiers }

  /// A new upload of a user's.
  public func upload(of user: Identifier) -> String {
    let upload = identifiers.next()
    state.withLock { $0.owners[upload] = user }
    return upload.text(kind: "upl")
  }

  /// The same for a printed id.
  public func upload(of user: String) throws -> String { upload(of: try Identifier.parse(user, kind: "user")) }

  /// All parts of all things.
  public var parts: Set<Part> { state.withLock { $0.parts } }

  private func add(_ part: Part, in writer: any Writer) {
    writer.afterCommit { [state] in state.withLock { _ = $0.parts.insert(part) } }
  }

  public func attach(
    _ file: FileSource, of user: Identifier, to subject: SubjectID, as slot: String, _ rules: FileRules,
    in writer: any Writer
  ) throws -> StoredFile {
    guard case .upload(let upload) = file, state.withLock({ $0.owners[upload] }) == user,
      let kind = rules.kinds.first
    else { throw KitError.notFound("upload") }
    add(Part(blob: upload, subject: subject, slot: slot), in: writer)
    return StoredFile(
      blob: upload, kind: kind, state: .ready, length: 1, contentType: "image/png", width: 0, height: 0, duration: nil)
  }

  public func publish(
    _ content: BlobInfo, kind: FileKind, for user: Identifier, in subject: SubjectID, as slot: String,
    _ writer: any Writer
  ) throws -> StoredFile {
    let blob = identifiers.next()
    add(Part(blob: blob, subject: subject, slot: slot), in: writer)
    return StoredFile(
      blob: blob, kind: kind, state: .ready, length: Int64(content.size), contentType: "application/octet-stream",
      width: 0, height: 0, duration: nil)
  }

  public func detach(_ blob: Identifier, from subject: SubjectID, as slot: String, in writer: any Writer) throws -> Bool
  {
    let part = Part(blob: blob, subject: subject, slot: slot)
    writer.afterCommit { [state] in state.withLock { _ = $0.parts.remove(part) } }
    return parts.contains(part)
  }

  public func sign(
    _ blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?, for viewer: Identifier,
    _ reader: any Reader
  ) throws -> SignedPath? {
    guard parts.contains(Part(blob: blob, subject: subject, slot: slot)) else { return nil }
    return SignedPath(path: "/media/\(blob)/\(rendition ?? "original")", expiresAt: Instant(seconds: 2_000_000_000))
  }

  public func file(_ blob: Identifier, in reader: any Reader) throws -> StoredFile? { nil }

  public func renditions(
    of blob: Identifier, in subject: SubjectID, as slot: String, _ reader: any Reader
  ) throws -> FileRenditions? { nil }

  public func content(
    of blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?, _ reader: any Reader
  ) throws -> BlobInfo? { nil }
}
