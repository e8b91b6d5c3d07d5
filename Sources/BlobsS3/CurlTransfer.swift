internal import Base
internal import CCurl

/// One request on its way. Owned by the client's thread once it is begun; frees what curl refers to when it goes.
final class CurlTransfer {
  typealias Continuation = UnsafeContinuation<HTTPResponse, any Error>

  /// Reset and used again by later transfers.
  let handle: OpaqueHandle
  private let body: UnsafeMutableRawBufferPointer
  private var headers: UnsafeMutablePointer<curl_slist>?
  private let answerBytes: Int
  private var response = HTTPResponse(status: 0, headers: [:], body: [])
  private let continuation: Continuation

  /// A curl easy handle, which is a `void *` to C.
  typealias OpaqueHandle = UnsafeMutableRawPointer

  init(_ request: HTTPRequest, options: S3Options, handle: OpaqueHandle, continuation: Continuation) {
    self.handle = handle
    self.continuation = continuation
    answerBytes = request.answerBytes
    body = .allocate(byteCount: request.body.count, alignment: 1)
    body.copyBytes(from: request.body)
    for (name, value) in request.headers where name != "host" { add("\(name): \(value)") }
    // What curl would add by itself: a wait for permission to send, and a type of the body that is wrong.
    add("Expect:")
    add("Content-Type: application/octet-stream")
    configure(request, options)
  }

  deinit {
    curl_slist_free_all(headers)
    body.deallocate()
  }

  /// Gives the result to the caller.
  func finish(_ code: CURLcode) {
    if code == CURLE_OK {
      response.status = octet_curl_status(handle)
      continuation.resume(returning: response)
    } else {
      // The library's text for the number: the detailed one may hold addresses.
      fail("\(String(cString: curl_easy_strerror(code))) (curl \(code.rawValue))")
    }
  }

  func fail(_ message: String) {
    continuation.resume(throwing: HTTPFailure(message: message))
  }

  private func add(_ line: String) {
    guard let longer = curl_slist_append(headers, line) else { fatalError("no memory for a header") }
    headers = longer
  }

  private func configure(_ request: HTTPRequest, _ options: S3Options) {
    let settings: [CURLcode] = [
      octet_curl_set_string(handle, CURLOPT_URL, request.url),
      octet_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https"),
      octet_curl_set_string(handle, CURLOPT_PROXY, ""),
      octet_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)),
      octet_curl_set_long(handle, CURLOPT_NOSIGNAL, 1),
      octet_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0),
      octet_curl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 1),
      octet_curl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 2),
      octet_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Int(options.connectTimeout.inMilliseconds)),
      octet_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Int(options.attemptTimeout.inMilliseconds)),
      // Less than one byte a second.
      octet_curl_set_long(handle, CURLOPT_LOW_SPEED_LIMIT, 1),
      octet_curl_set_long(handle, CURLOPT_LOW_SPEED_TIME, max(1, Int(options.stallTimeout.components.seconds))),
      options.certificates.map { octet_curl_set_string(handle, CURLOPT_CAINFO, $0) } ?? CURLE_OK,
      setMethod(request.method),
      octet_curl_set_headers(handle, headers),
      // Not retained: the client holds the transfer for as long as curl does.
      octet_curl_set_pointer(handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(self).toOpaque()),
      octet_curl_set_pointer(handle, CURLOPT_HEADERDATA, Unmanaged.passUnretained(self).toOpaque()),
      octet_curl_set_receiver(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
        CurlTransfer.receive(bytes, size * count, context) { $0.take($1) }
      },
      octet_curl_set_receiver(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
        CurlTransfer.receive(bytes, size * count, context) { $0.takeHeader($1) }
      },
    ]
    precondition(settings.allSatisfy { $0 == CURLE_OK }, "curl refuses an option: \(settings.map(\.rawValue))")
  }

  private func setMethod(_ method: String) -> CURLcode {
    switch method {
    case "GET": return octet_curl_set_long(handle, CURLOPT_HTTPGET, 1)
    case "HEAD": return octet_curl_set_long(handle, CURLOPT_NOBODY, 1)
    case "PUT", "POST":
      let code = octet_curl_set_body(
        handle, body.baseAddress ?? UnsafeMutableRawPointer(handle), curl_off_t(body.count))
      return code == CURLE_OK ? octet_curl_set_string(handle, CURLOPT_CUSTOMREQUEST, method) : code
    default: return octet_curl_set_string(handle, CURLOPT_CUSTOMREQUEST, method)
    }
  }

  /// Hands what curl has received to the transfer that it belongs to.
  /// - Returns: how much was taken; anything but all ends the transfer.
  private static func receive(
    _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?,
    _ take: (CurlTransfer, UnsafeRawBufferPointer) -> Bool
  ) -> Int {
    // Set by `configure`, never nil.
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(context!).takeUnretainedValue()
    return take(transfer, UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
  }

  private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard response.body.count + bytes.count <= answerBytes else { return false }
    response.body += bytes
    return true
  }

  /// A header field, or a status line, at which the fields begin anew.
  private func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let line = String(decoding: bytes, as: UTF8.self)
    if line.hasPrefix("HTTP/") { response.headers = [:] }
    guard let colon = line.firstIndex(of: ":") else { return true }
    guard response.headers.count < S3Limits.headers else { return false }
    let value = line[line.index(after: colon)...].drop { $0 == " " }.prefix { $0 != "\r\n" && $0 != "\r" && $0 != "\n" }
    response.headers[line[..<colon].lowercased()] = String(value)
    return true
  }
}

/// What a server may send, in bytes and counts.
enum S3Limits {
  /// Fields of an answer's head; S3 sends a dozen. curl bounds their bytes.
  static let headers = 100

  /// An answer that is a document: a page of a list has 1000 names of some 400 bytes.
  static let documentBytes = 4 << 20

  /// The record of an upload: 10,000 parts with their tags.
  static let recordBytes = 4 << 20

  /// Parts of one upload, by S3's rules.
  static let parts = 10_000

  /// How much a reader asks for at once, in bytes: what a slow receiver holds.
  static let pieceBytes: UInt64 = 4 << 20
}
