internal import RPC

/// Reads the requests of one connection, octet by octet, as RFC 9112 lays them down and no more liberally: wherever
/// another reader could take the same octets for a different request, they are refused. It takes octets and says what
/// they mean; it knows no streams.
struct HTTP1Parser {
  enum Event: Equatable {
    /// All octets that can be taken are taken.
    case needsMore
    /// The head of a request is complete, and `request` tells of it. Without a body the request is complete as well.
    case head
    /// These octets of the input are body.
    case body(Range<Int>)
    /// A request with a body is complete.
    case end
  }

  private enum State {
    /// Before or within the first line of a request. → fields
    case requestLine
    /// → requestLine (no body), length, chunkSize
    case fields
    /// So many octets are left of the body. → complete
    case length(Int)
    /// → chunk, trailers
    case chunkSize
    /// So many octets are left of the chunk. → chunkEnd
    case chunk(Int)
    /// The line end after a chunk. → chunkSize
    case chunkEnd
    /// → complete
    case trailers
    /// The body is over, which nobody was told yet. → requestLine
    case complete
  }

  /// The request whose head came last.
  private(set) var request = HTTP1Request()
  private var state = State.requestLine
  /// What has come of a line.
  private var line: [UInt8] = []
  /// Octets of the head or of the trailers up to now.
  private var sectionOctets = 0
  /// Octets of chunk extensions in this body.
  private var extensionOctets = 0
  private var head = HTTP1HeadReader()
  private let isEncrypted: Bool
  private let maxSectionOctets: Int
  private let maxExtensionOctets: Int

  /// - Parameter isEncrypted: tells the scheme of a request that does not name it.
  init(limits: HTTP2Limits, isEncrypted: Bool) {
    self.isEncrypted = isEncrypted
    maxSectionOctets = limits.maxHeaderListSize
    maxExtensionOctets = limits.maxChunkExtensions
  }

  /// Whether a head or a trailer section has begun and not ended.
  var isInsideSection: Bool {
    switch state {
    // An empty line alone is left over from the request before.
    case .requestLine: sectionOctets > 2 || !line.isEmpty
    case .fields, .trailers: true
    case .length, .chunkSize, .chunk, .chunkEnd, .complete: false
    }
  }

  /// Whether the last octet of a body was reported, and `end` comes next.
  var isBodyOver: Bool {
    if case .complete = state { true } else { false }
  }

  /// Reads on in `input`.
  /// - Parameters:
  ///   - offset: where to go on; moved behind what was taken.
  ///   - bodyLimit: the most body octets to report at once; with 0 a body waits.
  ///   - block: gets the fields of the head or of the trailers.
  mutating func next(
    _ input: Span<UInt8>, _ offset: inout Int, bodyLimit: Int, into block: inout HeaderBlock
  ) throws(HTTP1Refusal) -> Event {
    while true {
      switch state {
      case .length(let left), .chunk(let left):
        let count = min(left, input.count - offset, bodyLimit)
        guard count > 0 else { return .needsMore }
        leave(left - count)
        offset += count
        return .body((offset - count)..<offset)
      case .complete:
        state = .requestLine
        return .end
      case .requestLine, .fields, .chunkSize, .chunkEnd, .trailers:
        guard try completeLine(input, &offset) else { return .needsMore }
        // Moved out meanwhile, as the line's reader changes this parser.
        var text = line
        line = []
        defer {
          text.removeAll(keepingCapacity: true)
          line = text
        }
        if try take(&text, &block) { return .head }
      }
    }
  }

  private mutating func leave(_ left: Int) {
    switch (state, left) {
    case (.length, 0): state = .complete
    case (.length, _): state = .length(left)
    case (_, 0): state = .chunkEnd
    default: state = .chunk(left)
    }
  }

  /// Moves octets to `line` up to the end of the line, which is not kept.
  /// - Returns: whether the line is complete.
  private mutating func completeLine(_ input: Span<UInt8>, _ offset: inout Int) throws(HTTP1Refusal) -> Bool {
    let start = offset
    while offset < input.count, input[offset] != HTTP1Octets.lineFeed { offset += 1 }
    let isComplete = offset < input.count
    try count(offset - start + (isComplete ? 1 : 0))
    input.extracting(start..<offset).withUnsafeBufferPointer { line.append(contentsOf: $0) }
    guard isComplete else { return false }
    offset += 1
    // A line that ends in a line feed alone is where two readers part (RFC 9112 §2.2 allows either).
    guard line.popLast() == HTTP1Octets.carriageReturn else { throw .malformed("a line must end with CR LF") }
    return true
  }

  private mutating func count(_ octets: Int) throws(HTTP1Refusal) {
    switch state {
    case .requestLine:
      sectionOctets += octets
      if sectionOctets > maxSectionOctets { throw HTTP1Refusal(status: 414, reason: "the request line is too long") }
    case .fields, .trailers:
      sectionOctets += octets
      if sectionOctets > maxSectionOctets { throw Self.tooLarge }
    case .chunkSize:
      extensionOctets += octets
      // The line may hold the size as well.
      if extensionOctets > maxExtensionOctets + HTTP2Limits.chunkSizeDigits + 2 { throw Self.tooManyExtensions }
    default:
      if line.count + octets > 2 { throw .malformed("a chunk must end with CR LF") }
    }
  }

  /// - Returns: whether a head is complete.
  private mutating func take(_ line: inout [UInt8], _ block: inout HeaderBlock) throws(HTTP1Refusal) -> Bool {
    switch state {
    case .requestLine:
      // One empty line is left over by some clients after the body of the request before (RFC 9112 §2.2).
      if line.isEmpty, sectionOctets == 2 { return false }
      head = HTTP1HeadReader()
      block.begin(.request)
      try head.readRequestLine(line, isEncrypted: isEncrypted, into: &block)
      state = .fields
    case .fields:
      if !line.isEmpty {
        try head.readField(&line, into: &block)
        break
      }
      request = try head.finish(into: &block)
      begin(request.body)
      return true
    case .chunkSize:
      let size = try chunkSize(line)
      if size == 0 { block.begin(.trailers) }
      state = size == 0 ? .trailers : .chunk(size)
    case .chunkEnd:
      state = .chunkSize
    case .trailers:
      if line.isEmpty {
        sectionOctets = 0
        state = .complete
      } else {
        try HTTP1HeadReader.readTrailer(&line, into: &block)
      }
    case .length, .chunk, .complete:
      preconditionFailure("no lines in this state")
    }
    return false
  }

  private mutating func begin(_ body: HTTP1Request.Body) {
    sectionOctets = 0
    extensionOctets = 0
    state =
      switch body {
      case .none: .requestLine
      case .length(let count): .length(count)
      case .chunked: .chunkSize
      }
  }

  /// `chunk-size [ chunk-ext ]` (RFC 9112 §7.1). Extensions are dropped, but may hold nothing that ends a line for
  /// somebody else.
  private mutating func chunkSize(_ line: [UInt8]) throws(HTTP1Refusal) -> Int {
    var size = 0
    var index = 0
    while index < line.count, let digit = Self.hexadecimal(line[index]) {
      guard index < HTTP2Limits.chunkSizeDigits else { throw .malformed("the chunk is too long") }
      size = size << 4 | digit
      index += 1
    }
    let digits = index
    while index < line.count, HTTP1Octets.isBlank(line[index]) { index += 1 }
    let isExtended = index < line.count && line[index] == UInt8(ascii: ";")
    guard digits > 0, digits == line.count || isExtended, line[index...].allSatisfy(HTTP1Octets.isFieldValue) else {
      throw .malformed("malformed chunk size")
    }
    // Only the extensions count up.
    extensionOctets -= digits + 2
    if extensionOctets > maxExtensionOctets { throw Self.tooManyExtensions }
    return size
  }

  private static func hexadecimal(_ octet: UInt8) -> Int? {
    switch octet {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(octet - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(octet - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(octet - UInt8(ascii: "A")) + 10
    default: nil
    }
  }

  private static let tooManyExtensions = HTTP1Refusal.malformed("the chunk extensions are too long")

  static let tooLarge = HTTP1Refusal(status: 431, reason: "the header fields are too large")
}
