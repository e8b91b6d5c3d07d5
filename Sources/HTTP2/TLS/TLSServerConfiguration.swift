internal import Base

/// The certificate that a server shows. Can be reloaded while connections come and go: each keeps what it began with.
public final class TLSServerConfiguration: Sendable {
  private let certificateFile: String
  private let keyFile: String
  private let current: Locked<TLSContext>

  /// Reads the files.
  /// - Parameters:
  ///   - certificateFile: PEM, the server's certificate first, then the chain.
  ///   - keyFile: PEM, the private key.
  public init(certificateFile: String, keyFile: String) throws(TLSError) {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    current = Locked(try TLSContext.server(certificateFile: certificateFile, keyFile: keyFile))
  }

  /// Reads the files again, for connections to come. From any thread; reads the disk, so not on an event loop.
  /// - Throws: if they cannot be used; then the old certificate stays.
  public func reload() throws(TLSError) {
    let context = try TLSContext.server(certificateFile: certificateFile, keyFile: keyFile)
    current.withLock { $0 = context }
  }

  var context: TLSContext { current.withLock { $0 } }
}
