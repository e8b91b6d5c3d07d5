/// A 64-bit, time-ordered identifier, printed with its kind: `ride_01j8z3k4m5n6p`.
///
/// Layout, from the top: 0 (so that it fits a signed SQL integer), 41 bits of milliseconds since
/// 2024-01-01T00:00:00Z (good until 2093), 10 bits of node, 12 bits of sequence.
public struct Identifier: Sendable, Hashable, Comparable {
  public let rawValue: Int64

  /// 2024-01-01T00:00:00Z in milliseconds since the Unix epoch.
  public static let epochMilliseconds: Int64 = 1_704_067_200_000

  public init(rawValue: Int64) {
    self.rawValue = rawValue
  }

  /// When the identifier was made, to the millisecond.
  public var createdAt: Instant {
    Instant(milliseconds: (rawValue >> 22) + Self.epochMilliseconds)
  }

  /// No identifier that is made from an instant on is before this one, and none that is made earlier is after it; node clocks
  /// aside.
  public static func first(at instant: Instant) -> Identifier {
    Identifier(rawValue: max(0, instant.milliseconds - epochMilliseconds) << 22)
  }

  public static func < (a: Identifier, b: Identifier) -> Bool { a.rawValue < b.rawValue }

  /// The printed form: kind, underscore, 13 characters of Crockford's base 32 in lower case.
  public func text(kind: String) -> String {
    var result = kind + "_"
    for shift in stride(from: 60, through: 0, by: -5) {
      result.append(Self.alphabet[Int((UInt64(bitPattern: rawValue) >> UInt64(shift)) & 31)])
    }
    return result
  }

  /// Reads the printed form.
  /// - Throws: `.wrongKind` if the prefix is another one, `.malformed` for anything else.
  public static func parse(_ text: String, kind: String) throws(IdentifierError) -> Identifier {
    let parts = text.utf8.split(separator: UInt8(ascii: "_"), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, parts[1].count == 13 else { throw .malformed }
    var value: UInt64 = 0
    for (index, byte) in parts[1].enumerated() {
      guard let digit = Self.digits[byte], index > 0 || digit < 8 else { throw .malformed }
      value = value << 5 | digit
    }
    guard value <= UInt64(Int64.max) else { throw .malformed }
    guard parts[0].elementsEqual(kind.utf8) else { throw .wrongKind }
    return Identifier(rawValue: Int64(value))
  }

  private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")
  private static let digits: [UInt8: UInt64] = Dictionary(
    uniqueKeysWithValues: "0123456789abcdefghjkmnpqrstvwxyz".utf8.enumerated().map { ($1, UInt64($0)) })
}

/// Why a text is not an identifier of the wanted kind.
public enum IdentifierError: Error, Equatable {
  case malformed
  case wrongKind
}

/// Makes identifiers that rise strictly on one node. Safe to share between threads.
public final class IdentifierGenerator: Sendable {
  private let clock: any WallClock
  private let node: Int64
  private let last: Locked<Int64>

  /// How many nodes can share a database: their numbers have 10 bits.
  public static let nodes = 1024

  /// - Parameter node: 0 to 1023, unique among the nodes that share a database.
  public init(clock: any WallClock, node: Int = 0) {
    precondition((0..<Self.nodes).contains(node), "a node number has 10 bits")
    self.clock = clock
    self.node = Int64(node)
    last = Locked(0)
  }

  /// The next identifier. When more than 4,096 are asked for within a millisecond, or the clock steps back, it
  /// borrows from the coming milliseconds rather than repeat or wait.
  public func next() -> Identifier {
    let milliseconds = clock.now().milliseconds - Identifier.epochMilliseconds
    precondition((0..<(1 << 41)).contains(milliseconds), "the clock is outside of the identifiers' range")
    // `last` counts in (millisecond, sequence) pairs; the node is put between them on the way out.
    let tick = last.withLock { last in
      last = max(last + 1, milliseconds << 12)
      return last
    }
    return Identifier(rawValue: (tick >> 12) << 22 | node << 12 | (tick & 0xfff))
  }
}
