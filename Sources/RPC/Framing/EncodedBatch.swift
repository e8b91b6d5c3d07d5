/// Messages of one stream, joined as they go out: for a publisher who has several for the same readers. A stream that is
/// offered them together queues one piece, and they leave in one frame, at little more than the price of one message.
public struct EncodedBatch: Sendable {
  /// The messages, each with its prefix, one after the other.
  public let bytes: [UInt8]
  /// How many they are.
  public let count: Int

  /// Joins messages; the bytes of a single one are shared, not copied.
  public init(_ messages: some Collection<EncodedMessage>) {
    count = messages.count
    if count == 1, let only = messages.first {
      bytes = only.bytes
    } else {
      var joined: [UInt8] = []
      joined.reserveCapacity(messages.reduce(0) { $0 + $1.bytes.count })
      for message in messages { joined += message.bytes }
      bytes = joined
    }
  }

  /// Joins neighbours to batches, none longer than `longest` bytes unless it is one message.
  public static func join(_ messages: [EncodedMessage], longest: Int = RPCLimits.batchBytes) -> [EncodedBatch] {
    var batches: [EncodedBatch] = []
    var start = 0
    var length = 0
    for (index, message) in messages.enumerated() {
      if index > start, length + message.bytes.count > longest {
        batches.append(EncodedBatch(messages[start..<index]))
        (start, length) = (index, 0)
      }
      length += message.bytes.count
    }
    if start < messages.count { batches.append(EncodedBatch(messages[start...])) }
    return batches
  }
}
