import Base
import Blobs
import Cryptography
import DomainKit
import RPC
import Storage

/// Answers requests by signed URLs: `/media/TOKEN/NAME`. The names of a blob lie beside each other, so that a playlist
/// finds its segments.
struct BlobRoute: PlainRoute {
  static let prefix = "/media/"
  /// The bytes as they were uploaded.
  static let originalName = "original"

  let core: MediaCore
  var prefix: String { Self.prefix }

  func answer(_ request: PlainRequest) async throws -> PlainResponse {
    let parts = request.path.dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let link = BlobLink(token: parts[0], key: core.linkKey) else { return Self.refusal(404) }
    let left = link.expiresAt - core.now
    guard left > .zero else { return Self.refusal(403) }
    let name = String(parts[1])
    // Before the look, so that nothing is missed that changes while the content is opened.
    let lastSight = LastSight(core)
    let file = try await core.kit.database.read { [core] reader in
      try core.see(link, in: reader).flatMap { try core.served($0, name: name, in: reader) }
    }
    guard let file else { return Self.refusal(404) }
    return try await answer(request, link, file, lastSight, freshFor: left)
  }

  private func answer(
    _ request: PlainRequest, _ link: BlobLink, _ file: ServedFile, _ lastSight: LastSight, freshFor left: Duration
  ) async throws -> PlainResponse {
    var headers = Self.toAnyOrigin([
      "etag": file.etag, "cache-control": "private, max-age=\(left.components.seconds), immutable",
      "timing-allow-origin": "*", "accept-ranges": "bytes",
    ])
    if let known = request.headers.first("if-none-match"), Self.matches(known, file.etag) {
      return PlainResponse(status: 304, headers: headers)
    }
    headers.append("content-type", file.contentType)
    // What users have uploaded is never a page of this server's.
    headers.append("x-content-type-options", "nosniff")
    headers.append("content-security-policy", "default-src 'none'; sandbox")
    if file.isAttachment { headers.append("content-disposition", "attachment") }
    let isSame = request.headers.first("if-range").map { $0 == file.etag } ?? true
    switch ByteRange(isSame ? request.headers.first("range") : nil, length: file.length) {
    case .unsatisfiable:
      return PlainResponse(status: 416, headers: Self.toAnyOrigin(["content-range": "bytes */\(file.length)"]))
    case .whole: return try await respond(200, headers, link, file, lastSight, 0..<file.length)
    case .part(let range):
      headers.append("content-range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.length)")
      return try await respond(206, headers, link, file, lastSight, range)
    }
  }

  private func respond(
    _ status: Int, _ headers: HeaderList, _ link: BlobLink, _ file: ServedFile, _ lastSight: LastSight,
    _ range: Range<Int64>
  ) async throws -> PlainResponse {
    switch file.source {
    case .text(let text):
      let bytes = Array(text.utf8)
      return PlainResponse(
        status: status, headers: headers, Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
    case .content(let info):
      let content: BlobContent
      do {
        content = try await core.open(info, range)
      } catch KitError.overloaded {
        return PlainResponse(
          status: 503, headers: Self.toAnyOrigin(["retry-after": "1", "cache-control": "no-store"]))
      }
      let lastSight = Locked(lastSight)
      return PlainResponse(status: status, headers: headers, length: range.count) { [core] in
        if lastSight.withLock({ $0.isOld() }) {
          let isSeen = try await core.kit.database.read { try core.see(link, in: $0) != nil }
          guard isSeen else { throw KitError.notFound("blob") }
        }
        return try await content.makeAsyncIterator().next()
      }
    }
  }

  /// RFC 9110 §13.1.2. The tags are strong ones; a cache may have made one weak.
  private static func matches(_ field: String, _ etag: String) -> Bool {
    field == "*"
      || field.split(separator: ",").contains { tag in
        let tag = tag.drop { $0 == " " }.prefix { $0 != " " }
        return tag == etag || tag == "W/" + etag
      }
  }

  /// The URL is what admits: whoever has it may be a script of any page. It reads a refusal as well, which tells it to ask for
  /// a new URL.
  private static func toAnyOrigin(_ fields: HeaderList) -> HeaderList {
    var headers: HeaderList = [
      "access-control-allow-origin": "*", "access-control-expose-headers": "content-range, etag, retry-after",
      "cross-origin-resource-policy": "cross-origin",
    ]
    headers.append(contentsOf: fields)
    return headers
  }

  private static func refusal(_ status: Int) -> PlainResponse {
    let text =
      status == 403 ? "the link has expired; ask for a new one\n" : "there is nothing here, or not any more\n"
    return PlainResponse(
      status: status,
      headers: toAnyOrigin(["content-type": "text/plain; charset=utf-8", "cache-control": "no-store"]),
      Array(text.utf8))
  }
}

/// One file that a URL names.
struct ServedFile: Sendable {
  enum Source: Sendable {
    case content(BlobInfo)
    /// Made when it is asked for: a playlist.
    case text(String)
  }

  let source: Source
  let contentType: String
  /// Whether a browser is to save it and not to show it.
  var isAttachment = false

  var length: Int64 {
    switch source {
    case .content(let info): Int64(info.size)
    case .text(let text): Int64(text.utf8.count)
    }
  }

  /// The content's own name, so it is the same for ever.
  var etag: String {
    switch source {
    case .content(let info): "\"\(info.id.text)\""
    case .text(let text): "\"\(Base64.url.encode(Hash.sha256(Array(text.utf8))))\""
    }
  }
}
