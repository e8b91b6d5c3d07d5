/// What goes over the bus for a conflating topic: a byte that says whether a value follows or the topic has ended, the
/// length of the topic's name in two big-endian bytes, the name, the value.
enum ConflatingMessage {
  private static let value: UInt8 = 1
  private static let end: UInt8 = 2

  /// Bytes of a name or a value up to which they go over the bus: positions and counters are short.
  static let longestPart = 16_384

  /// - Returns: nil if it is too long for the bus.
  static func encode(_ topic: Topic, _ encoded: [UInt8]?) -> [UInt8]? {
    let name = Array(topic.name.utf8)
    guard name.count <= longestPart, (encoded?.count ?? 0) <= longestPart else { return nil }
    return [encoded == nil ? end : value, UInt8(name.count >> 8), UInt8(name.count & 0xff)] + name + (encoded ?? [])
  }

  /// The topic of a message; nil for what is none.
  static func topic(_ message: ArraySlice<UInt8>) -> Topic? {
    head(message).map { Topic(named: String(decoding: message[3..<$0], as: UTF8.self)) }
  }

  /// - Returns: where the name ends.
  private static func head(_ message: ArraySlice<UInt8>) -> Int? {
    guard message.count >= 3, message[0] == value || message[0] == end else { return nil }
    let nameEnd = 3 + (Int(message[1]) << 8 | Int(message[2]))
    return nameEnd <= message.count && nameEnd <= 3 + longestPart && message.count - nameEnd <= longestPart
      ? nameEnd : nil
  }

  /// - Returns: the topic, with its value or nil for its end; nil for what is no message.
  static func decode(_ message: [UInt8]) -> (topic: Topic, encoded: [UInt8]?)? {
    guard let nameEnd = head(message[...]) else { return nil }
    let topic = Topic(named: String(decoding: message[3..<nameEnd], as: UTF8.self))
    if message[0] == value { return (topic, Array(message[nameEnd...])) }
    return message.count == nameEnd ? (topic, nil) : nil
  }
}
