internal import Base
internal import Blobs
internal import Cryptography
internal import Curl

/// The requests of S3 that the store needs: signed, tried again when the server or the network fails.
struct S3Client: Sendable {
  let options: S3Options
  let http: CurlClient
  private let signature: SignatureV4
  private let host: String
  private let clock: any WallClock
  private let random: any RandomSource

  /// - Throws: `BlobError` `.refused` if the endpoint is not one.
  init(_ options: S3Options, clock: any WallClock, random: any RandomSource) throws(BlobError) {
    guard let host = options.host else {
      throw BlobError(.refused, operation: "open", message: "the endpoint is not http:// or https:// and a host")
    }
    self.options = options
    self.host = host
    self.clock = clock
    self.random = random
    signature = SignatureV4(accessKey: options.accessKey, secret: options.secret, region: options.region)
    http = CurlClient(
      options: CurlOptions(
        name: "s3", requests: options.requests, connections: options.connections,
        connectTimeout: options.connectTimeout, attemptTimeout: options.attemptTimeout,
        stallTimeout: options.stallTimeout, certificates: options.certificates))
  }

  /// A request to an object, or to the bucket if `key` is nil.
  struct Call: Sendable {
    var operation: String
    var method: String
    var key: String?
    var query: [(String, String)] = []
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    var bodyHash = SignatureV4.emptyHash
    var answerBytes = S3Limits.documentBytes
    /// Failures that are answers to the caller, by S3's word for them. A status alone does not tell: what stands between
    /// also says 404, for a way that it does not know.
    var answers: Set<String> = []
  }

  /// There is no such object.
  static let noKey = "NoSuchKey"

  /// There is no such multipart upload: it was ended or given up.
  static let noUpload = "NoSuchUpload"

  /// No octet of the range is in the object.
  static let badRange = "InvalidRange"

  /// Sends a request until there is an answer.
  /// - Throws: `BlobError`: `.refused` for what trying again would not help, `.unavailable` after the last attempt.
  func send(_ call: Call) async throws -> CurlResponse {
    var wait = options.firstWait
    var attempt = 1
    while true {
      var failure: String
      do {
        let response = try await http.send(request(call))
        if response.status < 300, !Self.isErrorDocument(call, response) { return response }
        // Only the code: messages may repeat what was sent.
        let code = S3Document(response.body).first("Code") ?? ""
        if response.status >= 300, call.answers.contains(code) { return response }
        failure = "HTTP \(response.status) \(code)"
        guard Self.isWorthAnother(response.status, code) else {
          throw BlobError(.refused, operation: call.operation, message: failure)
        }
      } catch let error as CurlFailure {
        failure = error.message
      } catch CurlRefusal.overloaded(let limit) {
        throw BlobError(.overloaded, operation: "send", message: "\(limit) requests are under way already")
      } catch CurlRefusal.closed {
        throw BlobError(.closed, operation: "send", message: "the store is closed")
      }
      guard attempt < options.attempts else {
        throw BlobError(.unavailable, operation: call.operation, message: "\(failure), \(attempt) attempts")
      }
      try await Task.sleep(for: random.jittered(wait))
      wait = min(wait * 2, .seconds(5))
      attempt += 1
    }
  }

  /// The whole name of an object.
  func path(_ key: String?) -> String {
    "/\(options.bucket)" + (key.map { "/\(options.prefix)\($0)" } ?? "")
  }

  private func request(_ call: Call) -> CurlRequest {
    let path = path(call.key)
    let headers = signature.sign(
      call.method, path: path, query: call.query, headers: call.headers + [("host", host)], bodyHash: call.bodyHash,
      at: clock.now())
    let query = call.query.isEmpty ? "" : "?" + SignatureV4.query(call.query)
    return CurlRequest(
      url: options.endpoint + SignatureV4.encoded(path, keepsSlash: true) + query,
      .http(method: call.method, headers: headers, body: call.body, type: "application/octet-stream"),
      answerBytes: call.answerBytes)
  }

  /// S3 begins to answer the end of a multipart upload before it knows how that ends.
  private static func isErrorDocument(_ call: Call, _ response: CurlResponse) -> Bool {
    call.method == "POST" && !S3Document(response.body).elements("Error").isEmpty
  }

  private static func isWorthAnother(_ status: Int, _ code: String) -> Bool {
    // S3 says what is not there; without that, it is the way to S3 that is not there.
    status >= 500 || status == 429 || status == 408 || status < 300 || (status == 404 && code.isEmpty)
      || ["SlowDown", "RequestTimeout", "InternalError", "OperationAborted"].contains(code)
  }
}

/// What a server may send, in bytes and counts.
enum S3Limits {
  /// An answer that is a document: a page of a list has 1000 names of some 400 bytes.
  static let documentBytes = 4 << 20

  /// The record of an upload: 10,000 parts with their tags.
  static let recordBytes = 4 << 20

  /// Parts of one upload, by S3's rules.
  static let parts = 10_000

  /// How much a reader asks for at once, in bytes: what a slow receiver holds.
  static let pieceBytes: UInt64 = 4 << 20
}
