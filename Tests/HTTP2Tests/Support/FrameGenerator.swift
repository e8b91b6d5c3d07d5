import Base

@testable import HTTP2

/// Makes the octets of a peer that is mostly in order, sometimes rude, and rarely wrong.
struct FrameGenerator {
  private typealias T = RawPeer.FrameType

  private let random: SeededRandomSource
  private let rudeness: Int
  private let role: HTTP2Session.Role
  private let reach: Int
  /// The id of the next request.
  private var nextID: UInt32 = 1
  /// The streams on which a server has sent the head of its response.
  private var answered: Set<UInt32> = []
  /// Fields of the table that the peer's decoder has by now.
  private var literals = 0

  /// - Parameters:
  ///   - rudeness: one frame of so many breaks a rule of the connection.
  ///   - role: which side it plays.
  ///   - reach: frames belong to the last so many streams.
  init(seed: UInt64, rudeness: Int, as role: HTTP2Session.Role = .client, reach: Int = 12) {
    random = SeededRandomSource(seed: seed)
    self.rudeness = rudeness
    self.role = role
    self.reach = reach
  }

  /// A server has got a request.
  mutating func received(request id: Int32) {
    nextID = UInt32(id) + 2
  }

  private func below(_ bound: Int) -> Int { Int(random.below(UInt64(bound))) }
  private func isOne(of count: Int) -> Bool { below(count) == 0 }
  private func number(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * $0) & 255) } }

  /// A stream that was opened, one of the last.
  private func knownStream() -> UInt32 {
    let count = Int(nextID) / 2
    return UInt32(max(1, 2 * (count - below(min(max(count, 1), reach))) - 1))
  }

  mutating func next() -> [UInt8] {
    // Without a request a server has little to say.
    if role == .server, nextID == 1 { return RawPeer.frame(T.ping, 0, 0, Array(1...8)) }
    if isOne(of: rudeness) { return wrong() }
    switch below(16) {
    case 0...3 where role == .client: return request()
    case 0...3: return response(knownStream())
    case 4...8: return data()
    case 9: return RawPeer.frame(T.reset, 0, nextID > 1 ? knownStream() : 0, number(8)).filter { _ in nextID > 1 }
    case 10: return headers(nextID > 1 ? knownStream() : 1, RawPeer.literal("x-check", "1"), endStream: !isOne(of: 5))
    case 11:
      return RawPeer.frame(T.windowUpdate, 0, nextID > 1 && isOne(of: 2) ? knownStream() : 0, number(1 + below(5000)))
    case 12: return RawPeer.frame(T.settings, 0, 0, [0, 4] + number(below(70_000)) + [0, 1] + number(below(5000)))
    case 13 where role == .server && isOne(of: 6):
      // The first of two: it refuses nothing yet.
      return RawPeer.frame(T.goAway, 0, 0, number(Int(Int32.max)) + number(0))
    case 13: return RawPeer.frame(T.ping, 0, 0, Array(1...8))
    case 14: return RawPeer.frame(T.priority, 0, 1 + UInt32(below(50)), number(0) + [1])
    default:
      return RawPeer.frame(
        UInt8(10 + below(200)), UInt8(below(256)), UInt32(below(9)), Array(repeating: 1, count: below(20)))
    }
  }

  private mutating func request() -> [UInt8] {
    let id = nextID + (isOne(of: 10) ? 4 : 0)
    nextID = id + 2
    return headers(id, RawPeer.request() + field(), endStream: isOne(of: 2))
  }

  /// The head of a response, mostly the last one.
  private mutating func response(_ id: UInt32) -> [UInt8] {
    let isInterim = isOne(of: 8)
    if !isInterim { answered.insert(id) }
    let status = isInterim ? "103" : ["200", "200", "404", "204"][below(4)]
    return headers(id, RawPeer.literal(":status", status) + field(), endStream: isOne(of: isInterim ? 40 : 8))
  }

  /// A field of a head, or none.
  private mutating func field() -> [UInt8] {
    switch below(8) {
    case 0: return RawPeer.literal("content-length", "\(below(300))")
    case 1: return RawPeer.literal("Upper", "case")
    case 2:
      // Goes into the table.
      literals += 1
      return [0x40] + RawPeer.string("x-table-\(below(20))") + RawPeer.string(String(repeating: "v", count: below(90)))
    case 3 where literals > 0: return [0x80 | 62]
    default: return []
    }
  }

  /// HEADERS, perhaps padded, with a priority, and in pieces.
  private func headers(_ id: UInt32, _ block: [UInt8], endStream: Bool) -> [UInt8] {
    var flags: UInt8 = endStream ? 1 : 0
    var front: [UInt8] = []
    var padding = 0
    if isOne(of: 4) {
      padding = below(40)
      front = [UInt8(padding)]
      flags |= 8
    }
    if isOne(of: 6) {
      front += number(0) + [7]
      flags |= 32
    }
    var cuts = isOne(of: 3) ? (0..<(1 + below(3))).map { _ in below(block.count + 1) }.sorted() : []
    cuts.append(block.count)
    let first = front + block[..<cuts[0]] + Array(repeating: 0, count: padding)
    var octets = RawPeer.frame(T.headers, flags | (cuts.count == 1 ? 4 : 0), id, first)
    for (index, (start, end)) in zip(cuts, cuts.dropFirst()).enumerated() {
      octets += RawPeer.frame(T.continuation, index == cuts.count - 2 ? 4 : 0, id, Array(block[start..<end]))
    }
    return octets
  }

  private mutating func data() -> [UInt8] {
    guard nextID > 1 else { return [] }
    let id = knownStream()
    // A server begins with the head.
    if role == .server, !answered.contains(id), !isOne(of: 12) { return response(id) }
    var payload = Array(repeating: UInt8(below(10)), count: isOne(of: 6) ? 0 : below(400))
    var flags: UInt8 = isOne(of: role == .client ? 4 : 12) ? 1 : 0
    if isOne(of: 4) {
      let padding = below(60)
      payload = [UInt8(padding)] + payload + Array(repeating: 0, count: padding)
      flags |= 8
    }
    return RawPeer.frame(T.data, flags, id, payload)
  }

  private func wrong() -> [UInt8] {
    switch below(10) {
    case 0: RawPeer.frame(T.continuation, 4, 1, [])
    case 1 where role == .server: RawPeer.frame(T.pushPromise, 4, knownStream(), number(2) + RawPeer.request())
    case 1: RawPeer.frame(T.headers, 4, 2, RawPeer.request())
    case 2: RawPeer.frame(T.data, 0, nextID + 40, [1])
    case 3: RawPeer.frame(T.windowUpdate, 0, 0, number(0))
    case 4: RawPeer.frame(T.settings, 0, 0, [1, 2, 3])
    case 5: RawPeer.frame(T.data, 8, 1, [200, 1])
    case 6: RawPeer.frame(T.headers, 12, nextID, [90, 1])
    case 7: RawPeer.frame(T.headers, 4, nextID, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
    case 8: RawPeer.frame(T.goAway, 0, 0, [1])
    default: (0..<(9 + below(60))).map { _ in UInt8(below(256)) }
    }
  }
}
