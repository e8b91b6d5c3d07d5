import DomainKit
import ProtobufRuntime
import RPC

/// The errors of the media domain.
enum MediaError: DomainError {
  /// More bytes than an upload may have, or than were declared.
  case uploadTooLarge(limit: Int64, field: String)
  /// The chunk is not the next one.
  case offsetMismatch(offset: Int64)
  /// The chunk was damaged on its way.
  case chunkChecksum
  /// All bytes are there, and are not what was declared.
  case contentHash
  /// A newer stream writes the upload.
  case writerFenced
  case uploadExpired
  /// Things of the caller's have the blob as a part.
  case blobInUse
  /// Not all bytes of the upload are there.
  case uploadIncomplete
  /// The upload is used as something else.
  case wrongFileKind(field: String)
  /// The file is longer than what it is to be a part of takes.
  case fileTooLarge(limit: Int64, field: String)
  /// The range begins beyond the end.
  case badRange(length: Int64)

  var mapping: ErrorMapping {
    switch self {
    case .uploadTooLarge(let limit, let field):
      Self.invalid("UPLOAD_TOO_LARGE", field, "more bytes than allowed, or than were declared", limit)
    case .offsetMismatch(let offset):
      ErrorMapping(
        "OFFSET_MISMATCH", .aborted, "the chunk is not the next one", metadata: ["offset": String(offset)])
    case .chunkChecksum: ErrorMapping("CHUNK_CHECKSUM", .dataLoss, "the chunk was damaged on its way; send it again")
    case .contentHash:
      ErrorMapping("CONTENT_HASH", .dataLoss, "the content is not what was declared, or not what it was before")
    case .writerFenced: ErrorMapping("WRITER_FENCED", .aborted, "a newer stream writes this upload")
    case .uploadExpired: ErrorMapping("UPLOAD_EXPIRED", "nothing came for too long; begin a new upload")
    case .blobInUse: ErrorMapping("BLOB_IN_USE", "things of yours have it as a part")
    case .uploadIncomplete: ErrorMapping("UPLOAD_INCOMPLETE", "not all bytes of the upload are there")
    case .wrongFileKind(let field):
      Self.invalid("WRONG_FILE_KIND", field, "the upload was declared as something else")
    case .fileTooLarge(let limit, let field):
      Self.invalid("FILE_TOO_LARGE", field, "the file is too long for what it is used as", limit)
    case .badRange(let length):
      ErrorMapping(
        "BAD_RANGE", .outOfRange, "the range begins beyond the end", metadata: ["length": String(length)])
    }
  }

  private static func invalid(
    _ reason: String, _ field: String, _ why: String, _ limit: Int64? = nil
  ) -> ErrorMapping {
    ErrorMapping(
      reason, .invalidArgument, why, metadata: limit.map { ["limit": String($0)] } ?? [:],
      violations: [FieldViolation(field: field, description: why, reason: reason)])
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [MediaError] = [
    .uploadTooLarge(limit: 1, field: "length"), .offsetMismatch(offset: 1), .chunkChecksum, .contentHash, .writerFenced,
    .uploadExpired, .blobInUse, .uploadIncomplete, .wrongFileKind(field: "upload_id"),
    .fileTooLarge(limit: 1, field: "upload_id"), .badRange(length: 1),
  ]
}
