/// What a NATS server says.
enum NATSServerMessage: Equatable {
  /// What the server is; its JSON is not looked at.
  case info
  case message(subscription: UInt64, payload: [UInt8])
  case ping
  case pong
  case ok
  /// Some errors are followed by the end of the connection.
  case error(String)
}

/// Takes the server's side of the NATS protocol apart, in whatever pieces it comes. Holds at most one line and one
/// message, and what was read with them.
///
/// After the NATS client protocol, https://docs.nats.io/reference/reference-protocols/nats-protocol.
struct NATSParser {
  private let limits: NATSLimits
  private var buffer: [UInt8] = []
  private var head = 0
  /// Up to where the buffer has been searched for the end of the line.
  private var searched = 0
  /// The message whose first line has come.
  private var pending: (subscription: UInt64, length: Int)?

  init(limits: NATSLimits) {
    self.limits = limits
  }

  /// Whether all that came in was taken.
  var isEmpty: Bool { head == buffer.count }

  mutating func append(_ bytes: some Collection<UInt8>) {
    if head > 0 {
      buffer.removeFirst(head)
      searched -= head
      head = 0
    }
    buffer += bytes
  }

  /// The next thing that has come in whole; nil if more must come.
  /// - Throws: `NATSError` for what no server says. The connection is of no use then.
  mutating func next() throws(NATSError) -> NATSServerMessage? {
    if pending == nil {
      guard let line = try takeLine() else { return nil }
      if let message = try interpret(line) { return message }
    }
    guard let (subscription, length) = pending, buffer.count - head >= length + 2 else { return nil }
    let end = head + length
    guard buffer[end] == 0x0d, buffer[end + 1] == 0x0a else { throw Self.wrong("a message is longer than it says") }
    let payload = Array(buffer[head..<end])
    head = end + 2
    searched = head
    pending = nil
    return .message(subscription: subscription, payload: payload)
  }

  private static func wrong(_ message: String) -> NATSError {
    NATSError(operation: "read", message: message)
  }

  /// A line without its end.
  private mutating func takeLine() throws(NATSError) -> [UInt8]? {
    while searched < buffer.count, buffer[searched] != 0x0a { searched += 1 }
    guard searched - head <= limits.lineBytes else { throw Self.wrong("a line is too long") }
    guard searched < buffer.count else { return nil }
    var line = Array(buffer[head..<searched])
    searched += 1
    head = searched
    guard line.popLast() == 0x0d else { throw Self.wrong("a line does not end with CR LF") }
    return line
  }

  /// - Returns: nil if it is the first line of a message.
  private mutating func interpret(_ line: [UInt8]) throws(NATSError) -> NATSServerMessage? {
    let words = line.split { $0 == 0x20 || $0 == 0x09 }
    guard let first = words.first else { throw Self.wrong("a line is empty") }
    switch String(decoding: first, as: UTF8.self).uppercased() {
    case "MSG":
      // MSG <subject> <subscription> [reply] <length>
      guard words.count == 4 || words.count == 5, let subscription = Self.number(words[2]),
        let length = words.last.flatMap(Self.number)
      else { throw Self.wrong("a message begins with a wrong line") }
      guard length <= limits.messageBytes else { throw Self.wrong("a message is too long") }
      pending = (subscription, Int(length))
      return nil
    case "PING": return .ping
    case "PONG": return .pong
    case "+OK": return .ok
    case "INFO": return .info
    case "-ERR": return .error(String(decoding: line.dropFirst(first.count + 1).prefix(256), as: UTF8.self))
    default: throw Self.wrong("an unknown word")
    }
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
    guard !digits.isEmpty, digits.count <= 18 else { return nil }
    var number: UInt64 = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { return nil }
      number = number * 10 + UInt64(digit - 0x30)
    }
    return number
  }
}
