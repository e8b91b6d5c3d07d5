import Base
import Blobs

@testable import BlobsS3

/// As much of S3 as tests need, in memory, which answers as a test wants it.
struct ScriptedS3 {
  /// Requests of a kind that are answered with 404, and what that says. So many before them are served.
  struct Absence {
    var requests: String
    var after = 0
    var times = 1000
    /// S3's word for it; without one, it is the answer of something else.
    var code = ""
  }

  /// A method and a kind: `list`, `record`, `object`, `part`, `begin` or `end` of a multipart upload.
  var absence = Absence(requests: "")
  /// The first request of this kind waits until it is let go, and is carried out then.
  var held = ""

  /// Runs `body` with the way to the server.
  func run(_ body: (S3Options) async throws -> Void) async throws {
    let arguments = [absence.requests, "\(absence.after)", "\(absence.times)", absence.code, held]
    try await withScriptedServer(Self.server, arguments) { port in try await body(S3Server.options(port: port)) }
  }

  /// Returns once the request that is held is there.
  static func waitForHeld(_ store: S3BlobStore) async throws { try await say("arrived", store) }

  /// Has the request that is held carried out, after this or before.
  static func letGo(_ store: S3BlobStore) async throws { try await say("free", store) }

  private static func say(_ word: String, _ store: S3BlobStore) async throws {
    _ = try await store.client.send(S3Client.Call(operation: word, method: "POST", key: word))
  }

  private static let server = """
    import http.server, re, sys, threading, urllib.parse
    absent, after, times, code, held = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
    objects, parts, count = {}, {}, 0
    arrived, free = threading.Event(), threading.Event()
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"
        def answer(self):
            global count
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = urllib.parse.urlsplit(self.path)
            name = url.path.removeprefix("/blobs").removeprefix("/")
            query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
            kind = ("list" if not name else "record" if name.startswith("uploads/") else
                    "part" if "partNumber" in query else "begin" if "uploads" in query else
                    "end" if "uploadId" in query else "object")
            if name == "arrived":
                arrived.wait()
                return self.send(200, "")
            if name == "free":
                free.set()
                return self.send(200, "")
            if held == self.command + " " + kind and not arrived.is_set():
                arrived.set()
                free.wait()
            if absent == self.command + " " + kind:
                count += 1
                if after < count <= after + times:
                    return self.send(404, code and "<Error><Code>" + code + "</Code></Error>")
            upload = query.get("uploadId")
            if kind == "begin":
                upload = str(len(parts) + 1)
                parts[upload] = {}
                return self.send(200, "<UploadId>" + upload + "</UploadId>")
            if upload is not None and upload not in parts:
                return self.send(404, "<Error><Code>NoSuchUpload</Code></Error>")
            if kind == "part":
                parts[upload][int(query["partNumber"])] = body
                return self.send(200, "", ("etag", "tag"))
            if kind == "end":
                ended = parts.pop(upload)
                if self.command == "POST":
                    numbers = re.findall(b"<PartNumber>([0-9]+)</PartNumber>", body)
                    objects[name] = b"".join(ended[int(number)] for number in numbers)
                return self.send(200, "")
            if self.command == "PUT":
                objects[name] = body
                return self.send(200, "")
            if self.command == "DELETE":
                objects.pop(name, None)
                return self.send(204, "")
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
        do_GET = do_PUT = do_POST = do_DELETE = answer
        def log_message(self, *arguments):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port)
    server.serve_forever()
    """
}
