internal import CLinux
internal import RPC

/// One header section as it arrives, field by field. Sections do not interleave on a connection (RFC 9113 §4.3), so
/// one of these serves all its streams.
struct HeaderBlock {
  /// What became of a field.
  enum Outcome {
    case kept
    /// Beyond the limit: counted, not kept.
    case dropped
    /// So far beyond the limit that the connection should end.
    case bomb
  }

  var method = ""
  var path = ""
  var scheme = ""
  var authority = ""
  /// 0 in a request or in trailers.
  var status = 0
  var headers = HeaderList()
  /// Whether fields were dropped.
  private(set) var isTooLarge = false

  private var size = 0
  private var count = 0
  private let maxSize: Int
  private let maxCount: Int
  private let bombSize: Int
  // The paths and authorities of consecutive requests are mostly the same: an equal one is not made again.
  private var lastPath = Remembered()
  private var lastAuthority = Remembered()

  private struct Remembered {
    private(set) var text = ""
    private var octets: [UInt8] = []

    /// The string of these octets.
    mutating func text(_ new: UnsafeBufferPointer<UInt8>) -> String {
      let isSame = octets.withUnsafeBufferPointer { old in
        // An empty buffer may have no address; nothing is remembered then.
        old.count == new.count && old.count > 0
          && memcmp(old.baseAddress.unsafelyUnwrapped, new.baseAddress.unsafelyUnwrapped, new.count) == 0
      }
      if !isSame {
        octets = [UInt8](new)
        text = String(decoding: new, as: UTF8.self)
      }
      return text
    }
  }

  init(limits: HTTP2Limits) {
    maxSize = limits.maxHeaderListSize
    maxCount = limits.maxHeaderFields
    bombSize = limits.maxHeaderListSize * limits.headerBombFactor
  }

  /// Forgets the last section and starts one.
  mutating func begin() {
    path = ""
    authority = ""
    method = ""
    scheme = ""
    status = 0
    headers = HeaderList()
    isTooLarge = false
    size = 0
    count = 0
  }

  /// The head of a request; the header list is moved out.
  mutating func takeRequestHead() -> RequestHead {
    RequestHead(
      method: method, path: path, scheme: scheme, authority: authority, headers: takeHeaders())
  }

  /// The fields that are not pseudo-headers, moved out.
  mutating func takeHeaders() -> HeaderList {
    let taken = headers
    headers = HeaderList()
    return taken
  }

  /// Takes the next field.
  mutating func add(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Outcome {
    size += name.count + value.count + 32
    count += 1
    if size > maxSize || count > maxCount {
      isTooLarge = true
      return size > bombSize ? .bomb : .dropped
    }
    if name.count > 0, name[0] == UInt8(ascii: ":") {
      addPseudoHeader(name, value)
    } else {
      if headers.isEmpty { headers.reserve(fields: Self.usualFields, octets: Self.usualOctets) }
      headers.append(name: name.span, value: value.span)
    }
    return .kept
  }

  /// nghttp2 has checked that pseudo-headers are known, well-formed, unique and in front.
  private mutating func addPseudoHeader(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    switch (name.count, name[1]) {
    case (5, UInt8(ascii: "p")):  // :path
      path = lastPath.text(value)
    case (7, UInt8(ascii: "m")):  // :method
      method = String(decoding: value, as: UTF8.self)
    case (7, UInt8(ascii: "s")) where name[2] == UInt8(ascii: "c"):  // :scheme
      scheme = String(decoding: value, as: UTF8.self)
    case (7, UInt8(ascii: "s")):  // :status
      status = value.reduce(0) { $0 * 10 + Int($1 &- UInt8(ascii: "0")) }
    case (10, UInt8(ascii: "a")):  // :authority
      authority = lastAuthority.text(value)
    default:
      break
    }
  }

  /// Room made for the fields of a usual gRPC request, so that the list grows once.
  private static let usualFields = 8
  private static let usualOctets = 224
}
