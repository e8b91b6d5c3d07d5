internal import Base

/// Why a blob could not be stored or read. Texts hold neither paths nor credentials.
public struct BlobError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What to make of the failure.
  public enum Code: Sendable, Equatable {
    /// The upload was never begun, has been given up or has been adopted already: begin a new one.
    case unknownUpload
    /// No row refers to this content, or its bytes are gone.
    case unknownBlob
    /// The content is not what the caller said it would be.
    case mismatch
    /// More bytes than one blob may have.
    case tooLarge
    /// A range that does not lie within the blob.
    case badRange
    /// Somebody has taken up this upload since: this one is over.
    case superseded
    /// Another process has this upload open; it is free when that one lets go.
    case busy
    /// More is open or waiting than allowed; nothing was done.
    case overloaded
    /// There is no room on the disk. What was acknowledged stays; the upload can go on when there is room.
    case diskFull
    /// The disk failed, or the files are not what the program left.
    case ioFailure
    /// The store does not answer, or not usefully, also after retries.
    case unavailable
    /// The store understood and said no: credentials, permissions, a bucket that is not there.
    case refused
    /// The store has the contents of another database, or is not the one that has this database's.
    case foreignStore
    /// The store or the upload was closed.
    case closed
  }

  public var code: Code

  /// What was being done, e.g. `append` or `place`.
  public var operation: String

  /// For people who run the server.
  public var message: String

  public init(_ code: Code, operation: String, message: String) {
    self.code = code
    self.operation = operation
    self.message = message
  }

  /// Whether the same call may succeed later without anybody repairing anything.
  public var isTransient: Bool {
    switch code {
    case .busy, .overloaded, .unavailable: true
    default: false
    }
  }

  public var description: String { "blobs: \(operation): \(code): \(message)" }

  init(_ error: FileError, operation: String) {
    let code: Code = error.isDiskFull ? .diskFull : error.isTooManyOpen ? .overloaded : .ioFailure
    self.init(code, operation: operation, message: error.description)
  }
}
