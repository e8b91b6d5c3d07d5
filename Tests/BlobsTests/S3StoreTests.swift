import Base
import Blobs
import Cryptography
import Foundation
import Testing

@testable import BlobsS3

@Suite struct S3StoreTests {
  private static let content = SeededRandomSource(seed: 7).bytes(11 << 20)

  @Test func `a large upload is durable part by part, and goes on from another node`() async throws {
    let options = try await S3Server.common().options()
    let id = UploadID.new()
    try await withStore(options) { store in
      let upload = try await store.upload(id)
      try await upload.append(Array(Self.content.prefix(6 << 20)))
      #expect(try await upload.checkpoint() == 5 << 20)
      #expect(upload.offset == 6 << 20)
    }
    try await withStore(options) { store in
      let upload = try await store.upload(id)
      #expect(upload.offset == 5 << 20)
      #expect(try await store.entries() == [.upload(id)])
      try await upload.append(Array(Self.content[(5 << 20)...]))
      let key = BlobKey(blob: try await upload.contentID(), upload: id)
      #expect(key.blob.bytes == Hash.sha256(Self.content))
      try await upload.place(key)
      #expect(try await store.size(key) == UInt64(Self.content.count))
      #expect(try await store.bytes(key, 0..<UInt64(Self.content.count)) == Self.content)
      // Over the borders of the parts and of the reader's pieces.
      let range = UInt64(4 << 20) - 5..<UInt64(8 << 20) + 5
      #expect(try await store.bytes(key, range) == Array(Self.content[Int(range.lowerBound)..<Int(range.upperBound)]))
      #expect(try await store.entries() == [.placed(id, blob: nil, size: UInt64(Self.content.count))])
    }
  }

  @Test func `a large upload that is discarded leaves nothing, and cannot be placed by another node`() async throws {
    let options = try await S3Server.common().options()
    try await withStore(options) { store in
      try await withStore(options) { other in
        let upload = try await store.upload(.new())
        try await upload.append(Array(Self.content.prefix(6 << 20)))
        let key = BlobKey(blob: try await upload.contentID(), upload: upload.id)
        try await other.discard(upload.id)
        #expect(await blobError { try await upload.place(key) } == .unknownUpload)
        #expect(try await store.size(key) == nil)
      }
      #expect(try await store.entries().isEmpty)
    }
  }

  @Test func `a list has more than one page`() async throws {
    let options = try await S3Server.common().options()
    try await withStore(options) { store in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<20 {
          group.addTask { for number in 0..<51 { _ = try await store.put([UInt8(worker), UInt8(number)]) } }
        }
        try await group.waitForAll()
      }
      let first = try await store.list(after: nil)
      #expect(first.entries.count == 1000 && first.next?.hasPrefix("blobs/") == true)
      #expect(try await store.entries().count == 1020)
    }
  }

  @Test func `wrong credentials are refused at once, and no text tells them`() async throws {
    var options = try await S3Server.common().options()
    options.secret = SecretKey(Array("wrong-secret".utf8))
    try await withStore(options) { store in
      do {
        _ = try await store.put([1])
        Issue.record("nothing was thrown")
      } catch let error as BlobError {
        #expect(error.code == .refused && error.message == "HTTP 403 SignatureDoesNotMatch")
        for text in ["\(error)", "\(options)", String(reflecting: options.secret)] {
          #expect(!text.contains("wrong-secret") && !text.contains("OCTETTEST"))
        }
      }
    }
  }

  @Test func `a server that cannot be reached is unavailable after all attempts`() async throws {
    // Nobody listens: a descriptor that is bound and closed again.
    var options = S3Server.options(port: 1)
    options.attempts = 3
    try await withStore(options) { store in
      #expect(await blobError { try await store.put([1]) } == .unavailable)
    }
    options.endpoint = "ftp://127.0.0.1"
    #expect(throws: BlobError.self) {
      try S3BlobStore(options, clock: SystemClock(), random: SystemRandomSource())
    }
  }

  @Test func `a bucket that is not there is not taken for one without uploads`() async throws {
    var options = try await S3Server.common().options()
    options.bucket += "-missing"
    try await withStore(options) { store in
      #expect(await blobError { try await store.upload(.new()) } == .refused)
    }
  }

  @Test(arguments: ["503", "500", "429", "close"])
  func `a failing server is tried again`(_ failure: String) async throws {
    try await withScriptedServer(Self.failingServer, [failure, "2"]) { port in
      try await withStore(S3Server.options(port: port)) { store in
        _ = try await store.put([1])
      }
      var impatient = S3Server.options(port: port)
      impatient.attempts = 2
      try await withStore(impatient) { store in
        #expect(await blobError { try await store.put([1]) } == .unavailable)
      }
    }
  }

  /// Fails so many requests, lets one pass, and begins anew.
  private static let failingServer = """
    import http.server, sys
    failure, failures = sys.argv[1], int(sys.argv[2])
    count = 0
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"
        def answer(self):
            global count
            self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.command == "GET":
                status, body = 200, b"<ListBucketResult></ListBucketResult>"
            else:
                count += 1
                fails = count % (failures + 1) != 0
                if fails and failure == "close":
                    self.close_connection = True
                    return
                status = int(failure) if fails else 200
                body = b"<Error><Code>SlowDown</Code></Error>" if fails else b""
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        do_GET = do_PUT = answer
        def log_message(self, *arguments):
            pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port)
    server.serve_forever()
    """
}
