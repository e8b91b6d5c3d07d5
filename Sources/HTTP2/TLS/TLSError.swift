internal import COpenSSL

/// A failure of OpenSSL.
public struct TLSError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What was attempted, for instance `handshake`.
  public let operation: String
  /// OpenSSL's words, or ours.
  public let message: String

  init(operation: String, message: String) {
    self.operation = operation
    self.message = message
  }

  public var description: String { "TLS \(operation): \(message)" }

  /// Takes the calling thread's error queue, which is empty afterwards.
  static func take(_ operation: String) -> TLSError {
    // The first error is the cause, later ones are its consequences.
    let code = ERR_get_error()
    ERR_clear_error()
    guard code != 0 else { return TLSError(operation: operation, message: "unexpected end of the connection") }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
      ERR_error_string_n(code, text.baseAddress, text.count)
      let reason = ERR_reason_error_string(code).map { String(cString: $0) }
      return TLSError(
        operation: operation, message: reason ?? String(cString: text.baseAddress.unsafelyUnwrapped))
    }
  }
}
