import Base
import DomainKit
import HTTP2
import Storage

/// Why the server does not start: what to tell the operator, and how to exit.
struct StartFailure: Error {
  let code: ExitCode
  let message: String

  init(_ code: ExitCode, _ message: String) {
    self.code = code
    self.message = message
  }

  /// - Parameter subject: what was being opened when `error` came: a path, an address.
  init(_ error: any Error, opening subject: String) {
    switch error {
    case let failure as StartFailure: self = failure
    case let error as StorageError where error.code == .inUse:
      self.init(.storage, "\(subject) is in use by another process")
    case let error as StorageError where error.code == .alreadyExists:
      self.init(.alreadyExists, "\(error.message); --force replaces it")
    case is SystemError, is TLSError:
      self.init(.unavailable, "\(subject): \(error)")
    default:
      self.init(.storage, "\(subject): \(error)")
    }
  }
}
