internal import CLinux
internal import RPC

/// One header section as it arrives, field by field, held to the rules of RFC 9113 §8.2 and §8.3. Sections do not
/// interleave on a connection (§4.3), so one of these serves all its streams.
struct HeaderBlock {
  /// What a section belongs to, which decides what it may hold.
  enum Section {
    case request
    case response
    case trailers
  }

  /// What became of a field.
  enum Outcome {
    case kept
    /// Beyond the limit, or the section is malformed: counted, not kept.
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
  /// What `content-length` says; nil if there is none.
  var contentLength: Int?
  /// Whether fields were dropped.
  private(set) var isTooLarge = false
  /// Whether a rule is broken: the stream is in error.
  var isMalformed = false

  var section = Section.request
  /// The pseudo-headers that have come.
  var seen: PseudoHeaders = []
  var hasRegularField = false

  /// As RFC 9113 §6.5.2 counts it.
  private(set) var size = 0
  private var count = 0
  /// Whether a `content-type` beyond the limit was kept.
  private var hasContentType = false
  private let maxSize: Int
  private let maxCount: Int
  private let bombSize: Int
  // The paths and authorities of consecutive requests are mostly the same: an equal one is not made again.
  var lastPath = Remembered()
  var lastAuthority = Remembered()
  /// What `requestHead` gave for this section.
  private var madeHead: RequestHead?

  /// A text, made again only if the octets differ from the last.
  struct Remembered {
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
  mutating func begin(_ section: Section) {
    self.section = section
    path = ""
    authority = ""
    method = ""
    scheme = ""
    status = 0
    headers = HeaderList()
    contentLength = nil
    isTooLarge = false
    isMalformed = false
    seen = []
    hasRegularField = false
    size = 0
    count = 0
    hasContentType = false
    madeHead = nil
  }

  /// The head of a request. It stays here as well, for the next request if that is the same.
  var requestHead: RequestHead {
    mutating get {
      if let madeHead { return madeHead }
      let head = RequestHead(received: method, path: path, scheme: scheme, authority: authority, headers: headers)
      madeHead = head
      return head
    }
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
      if size > bombSize { return .bomb }
      keepContentType(name, value)
      return .dropped
    }
    guard !isMalformed, name.count > 0, isAllowed(value) else { return malformed() }
    if name[0] == UInt8(ascii: ":") {
      guard !hasRegularField, addPseudoHeader(name, value) else { return malformed() }
    } else {
      hasRegularField = true
      guard isAllowed(name: name, value) else { return malformed() }
      if headers.isEmpty { headers.reserve(octets: HTTP2Limits.reservedHeadOctets) }
      headers.append(name: name.span, value: value.span)
    }
    return .kept
  }

  /// Keeps the first one: whoever answers is to speak the client's protocol.
  private mutating func keepContentType(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    guard !hasContentType, Self.equal(name, "content-type"), value.count <= HTTP2Limits.contentTypeSize
    else { return }
    hasContentType = true
    headers.append(name: name.span, value: value.span)
  }

  private mutating func malformed() -> Outcome {
    isMalformed = true
    return .dropped
  }
}
