internal import Base

/// What one node tells the others after a commit: that a topic goes so far and, if it is not too long, what was said.
///
/// A version byte, a byte that says whether the payload follows, the position as two big-endian words of 8 bytes, the
/// length of the name in two bytes, the name, the payload, and a code of 16 bytes over all of it: only who has the key
/// can make a subscriber take or look for an event.
struct TopicAnnouncement: Equatable {
  let topic: Topic
  let position: TopicPosition
  /// Nil if it must be read from the database.
  let payload: [UInt8]?

  private static let version: UInt8 = 1
  private static let headLength = 20

  /// - Returns: nil if the topic's name is too long to be announced.
  func encode(seal: BusSeal) -> [UInt8]? {
    let name = Array(topic.name.utf8)
    guard name.count <= TopicLimits.announcedNameBytes else { return nil }
    var bytes: [UInt8] = [Self.version, payload == nil ? 0 : 1]
    bytes.reserveCapacity(Self.headLength + name.count + (payload?.count ?? 0))
    for number in [position.sequence, UInt64(bitPattern: position.born)] {
      for shift in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
      }
    }
    bytes += [UInt8(name.count >> 8), UInt8(name.count & 0xff)]
    bytes += name
    bytes += payload ?? []
    return seal.seal(bytes)
  }

  /// - Parameter isWanted: whether anybody here has subscribed; if not, the code is not worth its computation.
  /// - Returns: nil if it is not wanted or not an announcement that a node with this key has made.
  static func decode(_ sealed: [UInt8], seal: BusSeal, isWanted: (Topic) -> Bool) -> TopicAnnouncement? {
    guard let bytes = seal.unchecked(sealed), bytes.count >= headLength, bytes[0] == version, bytes[1] <= 1 else {
      return nil
    }
    let nameLength = Int(bytes[18]) << 8 | Int(bytes[19])
    guard nameLength <= TopicLimits.announcedNameBytes, headLength + nameLength <= bytes.count else { return nil }
    let topic = Topic(named: String(decoding: bytes[headLength..<headLength + nameLength], as: UTF8.self))
    guard isWanted(topic), seal.open(sealed) != nil else { return nil }
    func number(_ start: Int) -> UInt64 { bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    return TopicAnnouncement(
      topic: topic, position: TopicPosition(sequence: number(2), born: Int64(bitPattern: number(10))),
      payload: bytes[1] == 1 ? Array(bytes[(headLength + nameLength)...]) : nil)
  }
}
