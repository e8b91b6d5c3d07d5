import Base

@testable import RPC

/// The length-prefix parser of gRPC messages.
enum DeframerFuzz {
  private enum Outcome: Equatable {
    case messages([[UInt8]], compressed: [Bool], error: FramingError?)
  }

  private static let limit = 1024

  /// However the octets are cut, they are the same messages and end in the same error; and writing the messages again
  /// gives the octets that were read.
  static func run(_ input: [UInt8]) throws {
    let whole = read([input[...]])
    let cut = read(pieces(input))
    try require(whole == cut, "other messages in pieces: \(whole) and \(cut)")
    guard case .messages(let messages, let compressed, _) = whole else { return }
    var written: [UInt8] = []
    for (message, isCompressed) in zip(messages, compressed) {
      let length = UInt32(message.count).bigEndian
      written.append(isCompressed ? 1 : 0)
      written += withUnsafeBytes(of: length) { Array($0) }
      written += message
    }
    try require(input.starts(with: written), "the messages are not what was sent")
  }

  private static func read(_ pieces: [ArraySlice<UInt8>]) -> Outcome {
    var deframer = MessageDeframer(limit: limit)
    var messages: [[UInt8]] = []
    var compressed: [Bool] = []
    do throws(FramingError) {
      for piece in pieces {
        deframer.append(piece.span)
        while let frame = try deframer.next() {
          messages.append(Array(deframer.buffer[frame.payload]))
          compressed.append(frame.isCompressed)
        }
      }
      try deframer.finish()
      return .messages(messages, compressed: compressed, error: nil)
    } catch {
      return .messages(messages, compressed: compressed, error: error)
    }
  }
}

/// Metadata: names, values and base 64.
enum MetadataFuzz {
  /// The input is names and values in turn, each ended by a NUL. What is accepted is read back as it was given, and
  /// cannot be taken for anything else; base 64 has one meaning, and is written as it was read but for padding.
  static func run(_ input: [UInt8]) throws {
    let parts = input.split(separator: 0, omittingEmptySubsequences: false)
    var metadata = Metadata()
    for index in stride(from: 0, to: parts.count - 1, by: 2) {
      let name = String(decoding: parts[index], as: UTF8.self)
      let value = Array(parts[index + 1])
      try addText(name, String(decoding: value, as: UTF8.self), to: &metadata)
      try addBinary(name, value, to: &metadata)
      try readReceived(parts[index], value)
    }
    for (name, value) in metadata {
      try require(!value.utf8.contains { $0 < 0x20 || $0 > 0x7e }, "\(name) has a value that no header may have")
      try require(name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }, "\(name) is no name")
    }
  }

  private static func addText(_ name: String, _ value: String, to metadata: inout Metadata) throws {
    guard (try? metadata.add(name, value)) != nil else { return }
    let read = metadata.values(name).last
    // Blanks around a value are not part of it.
    try require(
      read.map { trimmed($0) } == trimmed(value), "\(name) was \(value) and is \(String(describing: read))")
  }

  private static func addBinary(_ name: String, _ value: [UInt8], to metadata: inout Metadata) throws {
    guard (try? metadata.add(name, binary: value)) != nil else { return }
    try require(try metadata.binary(name).last == value, "\(name) does not hold what was added")
  }

  private static func readReceived(_ name: ArraySlice<UInt8>, _ value: [UInt8]) throws {
    if let decoded = Base64.standard.decode(value[...]) {
      let text = String(decoding: value, as: UTF8.self)
      try require(
        [false, true].contains { Base64.standard.encode(decoded, padded: $0) == text }, "\(text) is read leniently")
    }
    var headers = HeaderList()
    let received = name.prefix(Int(UInt16.max))
    headers.append(name: received.span, value: value.span)
    let metadata = Metadata(received: headers)
    _ = try? metadata.binary(String(decoding: name, as: UTF8.self))
    for _ in metadata {}
  }

  private static func trimmed(_ text: String) -> String {
    var octets = Array(text.utf8)[...]
    while octets.first == 0x20 { octets.removeFirst() }
    while octets.last == 0x20 { octets.removeLast() }
    return String(decoding: octets, as: UTF8.self)
  }
}

/// The grpc-timeout header.
enum TimeoutFuzz {
  /// A timeout that is read and written again never becomes shorter, and at most one unit longer.
  static func run(_ input: [UInt8]) throws {
    if let timeout = TimeoutHeader.parse(String(decoding: input, as: UTF8.self)) {
      try require(input.allSatisfy { $0 < 0x80 } && (2...9).contains(input.count), "too lenient")
      try roundTrip(timeout)
    }
    // The same for times that no header says.
    let seconds = input.prefix(8).reduce(Int64(0)) { $0 << 8 | Int64($1) }
    let attoseconds = input.dropFirst(8).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    try roundTrip(
      Duration(
        secondsComponent: seconds / 4, attosecondsComponent: Int64(attoseconds % 1_000_000_000_000_000_000)))
  }

  private static func roundTrip(_ timeout: Duration) throws {
    let text = TimeoutHeader.format(timeout)
    guard let again = TimeoutHeader.parse(text) else {
      throw FuzzFailure(description: "\(text) is written, but not read")
    }
    let longest = Duration.seconds(99_999_999 * 3600)
    try require(again >= min(max(timeout, .zero), longest), "\(timeout) became \(text)")
    try require(again <= max(timeout, .zero) + .seconds(3600), "\(timeout) became \(text)")
  }
}

/// The percent-encoding of status messages.
enum PercentFuzz {
  /// Text survives; what is written is printable ASCII; anything can be read.
  static func run(_ input: [UInt8]) throws {
    let text = String(decoding: input, as: UTF8.self)
    let encoded = PercentEncoding.encode(text)
    try require(encoded.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "not printable: \(encoded)")
    try require(PercentEncoding.decode(encoded) == text, "another text comes back")
    let decoded = PercentEncoding.decode(text)
    try require(PercentEncoding.decode(PercentEncoding.encode(decoded)) == decoded, "another text comes back")
  }
}
