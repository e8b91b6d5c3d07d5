public import Base
public import Blobs
public import Storage

/// Files that users have uploaded, as parts of other domains' things: a photo of a profile, the film of a video, a
/// document of a verification.
///
///     let file = try files.attach(upload, of: caller.user, to: SubjectID("vid", video), as: "film", kind: .video, in: writer)
///     try writer.execute("INSERT INTO videos (id, blob_id, …) …", video, file.blob, …)
///
/// Whoever may see the thing then sees the file. It stays as long as the thing has it, also if its uploader gives it up.
public protocol Files: Sendable {
  /// Makes a completed upload of a user's a part of a thing, in the caller's transaction. Once more changes nothing.
  /// - Parameters:
  ///   - subject: the thing, of a kind that its domain has registered.
  ///   - slot: which part, such as `photo`: what the domain's column is called.
  ///   - kind: what the upload must be.
  /// - Throws: `KitError.notFound` for an upload that is not the user's; a refusal with `UPLOAD_INCOMPLETE`, or with
  ///   `WRONG_FILE_KIND` if it is of another kind.
  func attach(
    _ upload: Identifier, of user: Identifier, to subject: SubjectID, as slot: String, kind: FileKind,
    in writer: any Writer
  ) throws -> StoredFile

  /// Makes a content that the server has written itself, an archive say, a part of a thing, in the caller's transaction.
  /// Nobody has uploaded it: those who may see the thing see it, and it goes with the thing.
  /// - Parameters:
  ///   - content: of which the caller's domain has a reference.
  ///   - user: whom it is made for.
  func publish(
    _ content: BlobInfo, for user: Identifier, in subject: SubjectID, as slot: String, _ writer: any Writer
  ) throws -> StoredFile

  /// Ends that a file is a part of a thing, in the caller's transaction: those who saw it through the thing see it no
  /// more, and what was signed for them opens nothing.
  /// - Returns: whether it was a part.
  @discardableResult
  func detach(_ blob: Identifier, from subject: SubjectID, as slot: String, in writer: any Writer) throws -> Bool

  /// Signs a path at which this server gives a thing's file to whoever has the path, until some instant at most an hour
  /// from now, and never after the file is no part of the thing any more. The caller has judged that the viewer may see
  /// the thing.
  /// - Parameter rendition: which of what was made of it, by profile; nil for the bytes as they came, which of pictures
  ///   and films only their uploaders get.
  /// - Returns: nil if the file is no part of the thing, or there is nothing that the viewer may have.
  func sign(
    _ blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?,
    for viewer: Identifier, _ reader: any Reader
  ) throws -> SignedPath?

  /// What is known of a file; nil if there is none.
  func file(_ blob: Identifier, in reader: any Reader) throws -> StoredFile?
}

/// A path that opens a file for a time.
public struct SignedPath: Sendable, Equatable {
  /// On this server's own ports. Whoever has it has the file, so it is kept in no row and no log.
  public let path: String
  public let expiresAt: Instant

  public init(path: String, expiresAt: Instant) {
    self.path = path
    self.expiresAt = expiresAt
  }
}

/// What a file is used as.
public enum FileKind: Sendable, Hashable {
  /// Any bytes.
  case file
  case image
  case video
}

/// A file as its users see it.
public struct StoredFile: Sendable, Equatable {
  /// `blob_…`.
  public let blob: Identifier
  public let kind: FileKind
  public let state: FileState
  /// In bytes.
  public let length: Int64
  /// Such as `image/png`.
  public let contentType: String
  /// In pixels as shown; 0 if it has none, or that is not known yet.
  public let width: Int32
  public let height: Int32
  /// Nil if it does not play, or that is not known yet.
  public let duration: Duration?

  public init(
    blob: Identifier, kind: FileKind, state: FileState, length: Int64, contentType: String, width: Int32,
    height: Int32, duration: Duration?
  ) {
    (self.blob, self.kind, self.state, self.length) = (blob, kind, state, length)
    (self.contentType, self.width, self.height, self.duration) = (contentType, width, height, duration)
  }
}

/// How far a file is.
public enum FileState: Sendable, Hashable {
  /// It is looked at, or made fit for showing.
  case processing
  case ready
  /// It is not what it should be; the reason, such as `TOO_MANY_PIXELS`.
  case failed(String)
}
