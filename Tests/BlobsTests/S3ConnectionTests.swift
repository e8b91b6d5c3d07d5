import Base
import Blobs
import Testing

@testable import BlobsS3

/// The way to an S3 server: TLS, and how long it is waited for.
@Suite struct S3ConnectionTests {
  /// What the store says of a server that it gives up.
  private func message(_ options: S3Options) async throws -> String {
    var message = ""
    try await withStore(options) { store in
      do {
        _ = try await store.mark()
        Issue.record("nothing was thrown")
      } catch let error as BlobError {
        #expect(error.code == .unavailable)
        message = error.message
      }
    }
    return message
  }

  @Test func `contents come and go over TLS, with a certificate that a given file vouches for`() async throws {
    let content = SeededRandomSource(seed: 3).bytes(6 << 20)
    try await withStore(try await S3Server.common().tlsOptions()) { store in
      let key = try await store.put(content, chunk: 1 << 20)
      #expect(try await store.bytes(key, 0..<UInt64(content.count)) == content)
      #expect(try await store.entries() == [.placed(key.upload, blob: nil, size: UInt64(content.count))])
      try await store.delete(key)
      #expect(try await store.size(key) == nil)
    }
  }

  @Test func `a certificate of nobody who is trusted, or for another name, is refused`() async throws {
    var options = try await S3Server.common().tlsOptions()
    options.attempts = 1
    let right = options.certificates
    options.certificates = nil
    #expect(try await message(options).contains("certificate"))
    options.certificates = "/nonexistent/ca.pem"
    #expect(try await message(options).contains("CA cert"))
    options.certificates = right
    // Also this host, for which there is no certificate.
    options.endpoint = options.endpoint.replacing("localhost", with: "other.localhost")
    #expect(try await message(options).contains("certificate"))
  }

  /// A process that listens and does nothing else; prints its port.
  private static let silentServer = """
    import signal, socket, sys
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0 if sys.argv[1] == "full" else 16)
    kept = []
    if sys.argv[1] == "full":
        # What the queue of those who want to connect has room for.
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            kept.append(client)
    print(listener.getsockname()[1], flush=True)
    while sys.argv[1] == "full":
        signal.pause()
    while True:
        connection = listener.accept()[0]
        kept.append(connection)
        if sys.argv[1] == "half":
            connection.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 100\\r\\n\\r\\nhalf")
    """

  private func time(_ options: S3Options) async throws -> Duration {
    let start = ContinuousClock.now
    #expect(try await message(options).contains("Timeout was reached"))
    return .now - start
  }

  @Test(arguments: ["http", "https"])
  func `a server that takes no connection is given up after connectTimeout`(scheme: String) async throws {
    // The one does not even get the first packet through, the other waits for the handshake of TLS.
    try await withScriptedServer(Self.silentServer, [scheme == "http" ? "full" : "silent"]) { port in
      var options = S3Server.options(port: port)
      options.endpoint = "\(scheme)://127.0.0.1:\(port)"
      (options.attempts, options.connectTimeout) = (1, .milliseconds(300))
      let time = try await time(options)
      #expect(time >= .milliseconds(300) && time < options.stallTimeout)
    }
  }

  @Test(arguments: ["silent", "half"])
  func `a server that says nothing more is given up after stallTimeout`(kind: String) async throws {
    try await withScriptedServer(Self.silentServer, [kind]) { port in
      var options = S3Server.options(port: port)
      (options.attempts, options.stallTimeout) = (1, .seconds(1))
      let time = try await time(options)
      #expect(time >= .seconds(1) && time < options.attemptTimeout)
    }
  }

  @Test func `an attempt as a whole has attemptTimeout`() async throws {
    try await withScriptedServer(Self.silentServer, ["silent"]) { port in
      var options = S3Server.options(port: port)
      (options.attempts, options.attemptTimeout) = (1, .milliseconds(300))
      let time = try await time(options)
      #expect(time >= .milliseconds(300) && time < options.stallTimeout)
    }
  }
}
