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
  /// Makes a file a part of a thing, in the caller's transaction. Once more changes nothing.
  /// - Parameters:
  ///   - user: whose file it is.
  ///   - subject: the thing, of a kind that its domain has registered.
  ///   - slot: which part, such as `photo`: what the domain's column is called.
  ///   - rules: what it must be.
  /// - Throws: `KitError.notFound` for what is not the user's; a refusal with `UPLOAD_INCOMPLETE`, with `WRONG_FILE_KIND` if it
  ///   is of another kind, or with `FILE_TOO_LARGE`.
  func attach(
    _ file: FileSource, of user: Identifier, to subject: SubjectID, as slot: String, _ rules: FileRules,
    in writer: any Writer
  ) throws -> StoredFile

  /// Makes a content that the server has written itself, an archive or a recording say, a part of a thing, in the caller's
  /// transaction. Nobody has uploaded it: those who may see the thing see it, and it goes with the thing. Of a picture or film
  /// is made what is made of an uploaded one.
  /// - Parameters:
  ///   - content: of which the caller's domain has a reference.
  ///   - user: whom it is made for, and who may make it a part of other things.
  func publish(
    _ content: BlobInfo, kind: FileKind, for user: Identifier, in subject: SubjectID, as slot: String,
    _ writer: any Writer
  ) throws -> StoredFile

  /// Ends that a file is a part of a thing, in the caller's transaction: those who saw it through the thing see it no
  /// more, and what was signed for them opens nothing.
  /// - Returns: whether it was a part.
  @discardableResult
  func detach(_ blob: Identifier, from subject: SubjectID, as slot: String, in writer: any Writer) throws -> Bool

  /// Signs a path at which this server gives a thing's file to whoever has the path, until some instant at most an hour
  /// from now, and never after the file is no part of the thing any more, or the viewer may not see the thing any more. Of
  /// what is no thing of a registered kind, the caller has judged that the viewer may have it.
  /// - Parameter rendition: which of what was made of it, by profile; nil for the bytes as they came, which of pictures
  ///   and films only their uploaders get.
  /// - Returns: nil if the file is no part of the thing, or there is nothing that the viewer may have.
  func sign(
    _ blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?,
    for viewer: Identifier, _ reader: any Reader
  ) throws -> SignedPath?

  /// What is known of a file; nil if there is none.
  func file(_ blob: Identifier, in reader: any Reader) throws -> StoredFile?

  /// What is made of a thing's file and is there, and how it is played. The caller has judged who may see the thing.
  /// - Returns: nil if the file is no part of the thing.
  func renditions(
    of blob: Identifier, in subject: SubjectID, as slot: String, _ reader: any Reader
  ) throws -> FileRenditions?

  /// The bytes of a thing's file, which `BlobLibrary.read` gives whole or in part after the transaction. The caller has judged
  /// that the viewer may see the thing.
  /// - Parameter rendition: which of what was made of it, by profile; nil for the bytes as they came, which are for the domain
  ///   itself: of a picture or film they may tell where it was taken.
  /// - Returns: nil if the file is no part of the thing, or there is no such rendition.
  func content(
    of blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?, _ reader: any Reader
  ) throws -> BlobInfo?
}

extension Files {
  /// Makes a completed upload a part of a thing, if it is of one kind.
  /// - Parameter field: which field of the request names the upload.
  public func attach(
    _ upload: Identifier, of user: Identifier, to subject: SubjectID, as slot: String, kind: FileKind,
    field: String = "upload_id", in writer: any Writer
  ) throws -> StoredFile {
    try attach(.upload(upload), of: user, to: subject, as: slot, FileRules([kind], field: field), in: writer)
  }
}

/// A file that is to become a part of a thing.
public enum FileSource: Sendable, Hashable {
  /// A completed upload, `upl_…`.
  case upload(Identifier)
  /// One that the user has uploaded and not given up, or that is a part of another thing by the user's doing, or was published
  /// for the user: `blob_…`.
  case blob(Identifier)
}

/// What a part of a thing must be.
public struct FileRules: Sendable, Equatable {
  public var kinds: Set<FileKind>
  /// In bytes; nil for as long as uploads can be.
  public var longest: Int64?
  /// The field of the request that names the file, for refusals.
  public var field: String

  public init(_ kinds: Set<FileKind>, longest: Int64? = nil, field: String = "upload_id") {
    self.kinds = kinds
    self.longest = longest
    self.field = field
  }
}

/// What is made of a file.
public struct FileRenditions: Sendable, Equatable {
  /// By profile.
  public let all: [FileRendition]
  /// Of a film, the HLS playlist that names those of the others (RFC 8216); nil for what is none, or not ready. Its URIs are
  /// relative: `480p.m3u8` is the playlist of the rendition `480p`, whose segments are ranges of `480p`.
  public let playlist: String?

  public init(all: [FileRendition], playlist: String?) {
    self.all = all
    self.playlist = playlist
  }
}

/// One thing that is made of a file.
public struct FileRendition: Sendable, Equatable {
  /// Such as `w640` or `480p`.
  public var profile: String
  /// Such as `image/webp`.
  public var contentType: String
  /// Of what plays, as players want them; empty otherwise.
  public var codecs: String = ""
  /// In bytes.
  public var length: Int64
  /// In pixels; 0 for what has none.
  public var width: Int32 = 0
  public var height: Int32 = 0
  /// Mean bits per second of what plays; 0 otherwise.
  public var bitRate: Int64 = 0
  /// Of a film, its HLS playlist; empty otherwise.
  public var playlist: String = ""
  /// Of a film, where its head lies, which comes before any segment; nil otherwise.
  public var head: Range<Int64>?
  /// Of a film, its segments in order.
  public var segments: [FileSegment] = []

  public init(profile: String, contentType: String, length: Int64) {
    (self.profile, self.contentType, self.length) = (profile, contentType, length)
  }
}

/// A segment of a film, which begins with a key frame.
public struct FileSegment: Sendable, Equatable {
  /// Where it lies in the rendition.
  public let bytes: Range<Int64>
  public let duration: Duration

  public init(bytes: Range<Int64>, duration: Duration) {
    (self.bytes, self.duration) = (bytes, duration)
  }
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
  case audio
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
