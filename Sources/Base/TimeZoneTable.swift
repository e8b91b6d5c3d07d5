/// The offsets of one time zone, read from a file of the tz database (TZif, RFC 8536).
///
/// Beyond the file's last transition its last offset holds; Debian's files reach the year 2037.
public struct TimeZoneTable: Sendable, Hashable {
  /// From `start` (seconds since the Unix epoch) on, the zone is `offset` seconds ahead of UTC.
  struct Span: Sendable, Hashable {
    let start: Int64
    let offset: Int64
  }

  /// In the tz database, such as "Europe/Helsinki".
  public let name: String
  let spans: [Span]
  /// Before the first of them.
  let firstOffset: Int64

  /// UTC all the year.
  public static let utc = TimeZoneTable(name: "UTC", spans: [], firstOffset: 0)

  private init(name: String, spans: [Span], firstOffset: Int64) {
    self.name = name
    self.spans = spans
    self.firstOffset = firstOffset
  }

  /// Reads the 64-bit block of a TZif file of version 2 or later; nil if the bytes are no such file.
  public init?(name: String, _ bytes: [UInt8]) {
    var reader = ByteReader(bytes)
    guard let first = TimeZoneHeader(&reader), first.version >= UInt8(ascii: "2") else { return nil }
    reader.skip(first.bodyLength(timeSize: 4))
    guard let header = TimeZoneHeader(&reader) else { return nil }
    let starts = (0..<header.transitions).map { _ in reader.integer(8) }
    let kinds = (0..<header.transitions).map { _ in Int(reader.integer(1)) }
    let offsets = (0..<header.kinds).map { _ in
      let offset = reader.integer(4)
      reader.skip(2)  // daylight flag and abbreviation
      return offset
    }
    guard !reader.isExhausted, kinds.allSatisfy({ offsets.indices.contains($0) }), let first = offsets.first,
      zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 })
    else { return nil }
    self.name = name
    spans = zip(starts, kinds).map { Span(start: $0, offset: offsets[$1]) }
    firstOffset = first
  }

  /// How far the zone is ahead of UTC at an instant, in seconds.
  public func offset(at instant: Instant) -> Int64 {
    offset(atSeconds: instant.nanoseconds.dividingRoundingDown(by: 1_000_000_000))
  }

  /// How far ahead of UTC it is at a second since the Unix epoch.
  func offset(atSeconds seconds: Int64) -> Int64 { offset(afterChanges: changes(upTo: seconds)) }

  /// How many of the spans have begun at a second.
  func changes(upTo seconds: Int64) -> Int {
    var (low, high) = (0, spans.count)
    while low < high {
      let middle = (low + high) / 2
      if spans[middle].start <= seconds { low = middle + 1 } else { high = middle }
    }
    return low
  }

  func offset(afterChanges count: Int) -> Int64 { count == 0 ? firstOffset : spans[count - 1].offset }
}

extension Int64 {
  /// Division that rounds toward minus infinity, as a calendar before 1970 needs it. `divisor` is positive.
  package func dividingRoundingDown(by divisor: Int64) -> Int64 {
    self >= 0 ? self / divisor : (self + 1) / divisor - 1
  }
}

/// The fixed part in front of each block of a TZif file.
private struct TimeZoneHeader {
  let version: UInt8
  let transitions: Int
  let kinds: Int
  private let utFlags: Int
  private let standardFlags: Int
  private let leapSeconds: Int
  private let abbreviationBytes: Int

  /// The most of anything that a header may announce; real files have some hundreds.
  private static let plausibleCount: Int64 = 100_000

  init?(_ reader: inout ByteReader) {
    guard reader.integer(4) == 0x545a_6966 else { return nil }  // "TZif"
    version = UInt8(truncatingIfNeeded: reader.integer(1))
    reader.skip(15)
    let counts = (0..<6).map { _ in reader.integer(4) }
    guard !reader.isExhausted, counts.allSatisfy({ (0...Self.plausibleCount).contains($0) }) else { return nil }
    utFlags = Int(counts[0])
    standardFlags = Int(counts[1])
    leapSeconds = Int(counts[2])
    transitions = Int(counts[3])
    kinds = Int(counts[4])
    abbreviationBytes = Int(counts[5])
  }

  func bodyLength(timeSize: Int) -> Int {
    transitions * (timeSize + 1) + kinds * 6 + abbreviationBytes + leapSeconds * (timeSize + 4) + standardFlags
      + utFlags
  }
}

/// Big-endian integers from an array; past its end they are 0 and `isExhausted` becomes true.
private struct ByteReader {
  private let bytes: [UInt8]
  private var position = 0
  private(set) var isExhausted = false

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// The next `size` (1 to 8) bytes; signed if there are 4 or 8 of them.
  mutating func integer(_ size: Int) -> Int64 {
    guard position + size <= bytes.count else {
      isExhausted = true
      return 0
    }
    let value = bytes[position..<position + size].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    position += size
    return size == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
  }

  mutating func skip(_ count: Int) {
    position += count
  }
}
