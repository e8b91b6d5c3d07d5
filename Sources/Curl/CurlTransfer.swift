internal import Base
internal import CCurl

/// One request on its way. Owned by the client's thread once it is begun; frees what curl refers to when it goes.
final class CurlTransfer {
  typealias Continuation = UnsafeContinuation<CurlResponse, any Error>

  /// Reset and used again by later transfers.
  let handle: OpaqueHandle
  private let body: UnsafeMutableRawBufferPointer
  /// How much of a mail has been taken by curl.
  private var sent = 0
  /// Header fields, or the receiver of a mail.
  private var lines: UnsafeMutablePointer<curl_slist>?
  /// What curl connects to in place of what URLs say.
  private var place: UnsafeMutablePointer<curl_slist>?
  private let answerBytes: Int
  private var response = CurlResponse(status: 0, headers: [:], body: [])
  private let continuation: Continuation

  /// A curl easy handle, which is a `void *` to C.
  typealias OpaqueHandle = UnsafeMutableRawPointer

  init(_ request: CurlRequest, options: CurlOptions, handle: OpaqueHandle, continuation: Continuation) {
    self.handle = handle
    self.continuation = continuation
    answerBytes = request.answerBytes
    let bytes =
      switch request.content {
      case .http(_, _, let body, _), .mail(_, _, let body, _, _): body
      }
    body = .allocate(byteCount: bytes.count, alignment: 1)
    body.copyBytes(from: bytes)
    configure(options)
    let settings = [octet_curl_set_string(handle, CURLOPT_URL, request.url)] + settings(of: request.content)
    precondition(settings.allSatisfy { $0 == CURLE_OK }, "curl refuses an option: \(settings.map(\.rawValue))")
  }

  deinit {
    curl_slist_free_all(lines)
    curl_slist_free_all(place)
    body.deallocate()
  }

  /// Gives the result to the caller.
  func finish(_ code: CURLcode) {
    if code == CURLE_OK {
      response.status = octet_curl_status(handle)
      continuation.resume(returning: response)
    } else {
      // Of a sender or receiver that is turned down curl could not send the mail; of a body, the answer is not what it expects.
      let isMailRefused = code == CURLE_SEND_ERROR || (code == CURLE_WEIRD_SERVER_REPLY && octet_curl_has_sent(handle))
      // The library's text for the number: the detailed one may hold addresses.
      continuation.resume(
        throwing: CurlFailure(
          message: "\(String(cString: curl_easy_strerror(code))) (curl \(code.rawValue))",
          status: octet_curl_status(handle), isMailRefused: isMailRefused))
    }
  }

  private func add(_ line: String) {
    guard let longer = curl_slist_append(lines, line) else { fatalError("no memory for a header") }
    lines = longer
  }

  private func configure(_ options: CurlOptions) {
    let settings: [CURLcode] = [
      octet_curl_set_string(handle, CURLOPT_PROXY, ""),
      octet_curl_set_long(handle, CURLOPT_NOSIGNAL, 1),
      octet_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0),
      octet_curl_set_long(handle, CURLOPT_SSL_VERIFYPEER, options.checksCertificates ? 1 : 0),
      octet_curl_set_long(handle, CURLOPT_SSL_VERIFYHOST, options.checksCertificates ? 2 : 0),
      octet_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Int(options.connectTimeout.inMilliseconds)),
      octet_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Int(options.attemptTimeout.inMilliseconds)),
      // Less than one byte a second.
      octet_curl_set_long(handle, CURLOPT_LOW_SPEED_LIMIT, 1),
      octet_curl_set_long(handle, CURLOPT_LOW_SPEED_TIME, max(1, Int(options.stallTimeout.components.seconds))),
      options.certificates.map { octet_curl_set_string(handle, CURLOPT_CAINFO, $0) } ?? CURLE_OK,
      options.place.map(setPlace) ?? CURLE_OK,
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

  private func setPlace(_ place: CurlPlace) -> CURLcode {
    switch place {
    case .address(let address):
      // Of any host and port.
      guard let list = curl_slist_append(nil, "::" + address) else { fatalError("no memory for an address") }
      self.place = list
      return octet_curl_set_list(handle, CURLOPT_CONNECT_TO, list)
    case .socket(let path): return octet_curl_set_string(handle, CURLOPT_UNIX_SOCKET_PATH, path)
    case .abstractSocket(let name): return octet_curl_set_string(handle, CURLOPT_ABSTRACT_UNIX_SOCKET, name)
    }
  }

  private func settings(of content: CurlRequest.Content) -> [CURLcode] {
    switch content {
    case .http(let method, let headers, _, let type):
      for (name, value) in headers where name != "host" { add("\(name): \(value)") }
      // What curl would add by itself: a wait for permission to send, and a type of the body that is wrong.
      add("Expect:")
      add("Content-Type: \(type)")
      return [
        octet_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https"),
        octet_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)), setMethod(method),
        octet_curl_set_list(handle, CURLOPT_HTTPHEADER, lines),
      ]
    case .mail(let sender, let receiver, _, let login, let needsTLS):
      add("<\(receiver)>")
      return [
        octet_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, "smtp"),
        octet_curl_set_long(handle, CURLOPT_USE_SSL, needsTLS ? Int(CURLUSESSL_ALL.rawValue) : 0),
        octet_curl_set_string(handle, CURLOPT_MAIL_FROM, "<\(sender)>"),
        octet_curl_set_list(handle, CURLOPT_MAIL_RCPT, lines),
        octet_curl_set_long(handle, CURLOPT_UPLOAD, 1),
        octet_curl_set_pointer(handle, CURLOPT_READDATA, Unmanaged.passUnretained(self).toOpaque()),
        octet_curl_set_receiver(handle, CURLOPT_READFUNCTION) { bytes, size, count, context in
          CurlTransfer.supply(bytes, size * count, context)
        },
        login.map { octet_curl_set_string(handle, CURLOPT_USERNAME, $0.user) } ?? CURLE_OK,
        login.map { octet_curl_set_string(handle, CURLOPT_PASSWORD, $0.password) } ?? CURLE_OK,
      ]
    }
  }

  /// Gives curl the next bytes of a mail.
  private static func supply(
    _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?
  ) -> Int {
    // Set by `settings`, never nil.
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(context!).takeUnretainedValue()
    let piece = UnsafeRawBufferPointer(rebasing: transfer.body[transfer.sent...].prefix(count))
    UnsafeMutableRawBufferPointer(start: bytes, count: count).copyMemory(from: piece)
    transfer.sent += piece.count
    return piece.count
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
    guard response.headers.count < CurlLimits.headers else { return false }
    let value = line[line.index(after: colon)...].drop { $0 == " " }.prefix { $0 != "\r\n" && $0 != "\r" && $0 != "\n" }
    response.headers[line[..<colon].lowercased()] = String(value)
    return true
  }
}
