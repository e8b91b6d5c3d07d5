import Base
import Blobs
import Testing

@testable import BlobsS3

/// What is not S3's own word that something is there, or is not, is taken for neither.
@Suite struct S3AnswerTests {
  /// Requests of a kind that are answered with 404, and what that says.
  private struct Absence {
    var requests: String
    var after = 0
    var times = 1000
    /// S3's word for it; without one, it is the answer of something else.
    var code = ""
  }

  private static let part = [UInt8](repeating: 3, count: 5 << 20)

  private func withServer(_ absence: Absence, _ body: (S3BlobStore) async throws -> Void) async throws {
    let arguments = [absence.requests, "\(absence.after)", "\(absence.times)", absence.code]
    try await withScriptedServer(Self.server, arguments) { port in
      var options = S3Server.options(port: port)
      options.attempts = 2
      try await withStore(options, body)
    }
  }

  @Test(arguments: [("", BlobError.Code.unavailable), ("NoSuchBucket", .refused)])
  func `a small content that S3 does not have is not placed`(code: String, expected: BlobError.Code) async throws {
    try await withServer(Absence(requests: "PUT object", code: code)) { store in
      #expect(await blobError { try await store.put([1, 2, 3]) } == expected)
      let entries = try await store.entries()
      #expect(entries.isEmpty)
    }
  }

  @Test(arguments: [
    ("", BlobError.Code.unavailable), ("NoSuchBucket", .refused), ("NoSuchUpload", .unknownUpload),
  ])
  func `a part that S3 does not have is not durable`(code: String, expected: BlobError.Code) async throws {
    try await withServer(Absence(requests: "PUT part", code: code)) { store in
      let upload = try await store.upload(.new())
      #expect(await blobError { try await upload.append(Self.part) } == expected)
      #expect(try await store.upload(upload.id).durableOffset == 0)
    }
  }

  /// The claim of a name, the record before the first part, and the one with that part.
  @Test(arguments: 0..<3) func `a part without its record is not durable`(record: Int) async throws {
    for code in ["", "NoSuchBucket"] {
      try await withServer(Absence(requests: "PUT record", after: record, code: code)) { store in
        let upload = try await store.upload(.new())
        let error = await blobError { try await upload.append(Self.part) }
        #expect(error == (code.isEmpty ? .unavailable : .refused))
        #expect(try await store.upload(upload.id).durableOffset == 0)
      }
    }
  }

  @Test(arguments: ["PUT object", "PUT record", "PUT part", "GET list", "GET object"])
  func `who has lost the way to S3 for a moment tries again`(requests: String) async throws {
    try await withServer(Absence(requests: requests, times: 1)) { store in
      let small = try await store.put([1, 2, 3])
      #expect(try await store.bytes(small, 0..<3) == [1, 2, 3])
      let upload = try await store.upload(.new())
      try await upload.append(Self.part)
      #expect(try await store.upload(upload.id).durableOffset == 5 << 20)
    }
  }

  @Test func `a blob whose server is not found is not gone`() async throws {
    for (requests, after) in [("GET object", 0), ("GET list", 1)] {
      try await withServer(Absence(requests: requests, after: after)) { store in
        let key = try await store.put([1, 2, 3])
        let range: Range<UInt64> = requests == "GET list" ? 0..<0 : 0..<3
        #expect(await blobError { try await store.bytes(key, range) } == .unavailable)
      }
    }
    try await withServer(Absence(requests: "GET object", code: "NoSuchKey")) { store in
      let key = try await store.put([1, 2, 3])
      #expect(await blobError { try await store.bytes(key, 0..<3) } == .unknownBlob)
      #expect(try await store.mark() == nil)
    }
    // Nor is a store without its mark one that never had any.
    try await withServer(Absence(requests: "GET object")) { store in
      #expect(await blobError { try await store.mark() } == .unavailable)
    }
    try await withServer(Absence(requests: "GET object", code: "NoSuchBucket")) { store in
      #expect(await blobError { try await store.mark() } == .refused)
    }
  }

  /// As much of S3 as these tests need, in memory. Of the requests that its first word names, so many are served, and so
  /// many after them are not found.
  private static let server = """
    import http.server, sys, urllib.parse
    absent, after, times, code = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    objects, count = {}, 0
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"
        def answer(self):
            global count
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = urllib.parse.urlsplit(self.path)
            name = url.path.removeprefix("/blobs").removeprefix("/")
            query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
            kind = ("list" if not name else "record" if name.startswith("uploads/") else
                    "part" if "partNumber" in query else "object")
            if absent == self.command + " " + kind:
                count += 1
                if after < count <= after + times:
                    return self.send(404, code and "<Error><Code>" + code + "</Code></Error>")
            if self.command == "POST":
                return self.send(200, "<UploadId>1</UploadId>")
            if self.command == "PUT":
                if kind != "part":
                    objects[name] = body
                return self.send(200, "", ("etag", "tag"))
            if kind == "list":
                found = ["<Contents><Key>" + key + "</Key><Size>" + str(len(objects[key])) + "</Size></Contents>"
                         for key in sorted(objects) if key.startswith(query["prefix"])]
                return self.send(200, "".join(found))
            if name not in objects:
                return self.send(404, "<Error><Code>NoSuchKey</Code></Error>")
            content = objects[name]
            if "range" not in self.headers:
                return self.send(200, content)
            first, last = (int(number) for number in self.headers["range"].removeprefix("bytes=").split("-"))
            self.send(206, content[first:last + 1], ("content-range", "bytes %d-%d/%d" % (first, last, len(content))))
        def send(self, status, body, *headers):
            body = body if isinstance(body, bytes) else body.encode()
            self.send_response(status)
            for name, value in (*headers, ("content-length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        do_GET = do_PUT = do_POST = answer
        def log_message(self, *arguments):
            pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port)
    server.serve_forever()
    """
}
