import Base
import RidesAPI

/// What rides tell other nodes: numbers of 8 bytes each, big-endian.
struct BusWords {
  private(set) var bytes: [UInt8] = []
  private var next = 0

  init() {}

  /// Words to be read; nil for what is none.
  init?(_ bytes: [UInt8]) {
    guard bytes.count.isMultiple(of: 8) else { return nil }
    self.bytes = bytes
  }

  /// How many are left to be read.
  var left: Int { bytes.count / 8 - next }

  mutating func append(_ word: Int64) {
    for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: word >> Int64(shift))) }
  }

  mutating func append(_ number: Double) {
    append(Int64(bitPattern: number.bitPattern))
  }

  /// Traps if nothing is left.
  mutating func word() -> Int64 {
    precondition(left > 0, "all words were read")
    defer { next += 1 }
    return Int64(bitPattern: bytes[next * 8..<next * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) })
  }

  mutating func number() -> Double {
    Double(bitPattern: UInt64(bitPattern: word()))
  }

  // MARK: Positions

  private static let positionWords = 6

  /// Appends a position, or nothing for nil: it is what comes last.
  mutating func append(_ position: AcceptedPosition?) {
    guard let position else { return }
    append(position.sequence)
    append(position.time.nanoseconds)
    append(position.coordinate.latitude)
    append(position.coordinate.longitude)
    append(position.accuracyMetres)
    append(position.speedMetresPerSecond ?? .nan)
  }

  /// The position that comes last, or nil if nothing is left.
  /// - Throws: `NoMessage` if what is left is no position.
  mutating func position() throws(NoMessage) -> AcceptedPosition? {
    if left == 0 { return nil }
    guard left == Self.positionWords else { throw NoMessage() }
    let (sequence, time) = (word(), Instant(nanoseconds: word()))
    guard let coordinate = try? Coordinate(latitude: number(), longitude: number()) else { throw NoMessage() }
    let (accuracy, speed) = (number(), number())
    guard sequence > 0, PositionFilter.accuracies.contains(accuracy) else { throw NoMessage() }
    return AcceptedPosition(
      sequence: sequence, time: time, coordinate: coordinate, accuracyMetres: accuracy,
      speedMetresPerSecond: speed >= 0 && speed.isFinite ? speed : nil)
  }
}

/// What came in is nothing that another node says.
struct NoMessage: Error {}

/// What the node to which a driver reports tells the one that matches the driver's city.
struct DriverReport: Sendable, Equatable {
  let driver: Identifier
  let presence: Presence
  let presenceVersion: Int64
  /// Nil if the driver was only heard from.
  let position: AcceptedPosition?

  init(driver: Identifier, presence: Presence, presenceVersion: Int64, position: AcceptedPosition?) {
    self.driver = driver
    self.presence = presence
    self.presenceVersion = presenceVersion
    self.position = position
  }

  /// Nil for what is none.
  init?(decoding bytes: [UInt8]) {
    guard var words = BusWords(bytes), words.left >= 3 else { return nil }
    let (driver, presence, version) = (words.word(), words.word(), words.word())
    guard let presence = Int32(exactly: presence) else { return nil }
    do throws(NoMessage) {
      self.init(
        driver: Identifier(rawValue: driver), presence: Presence(rawValue: presence), presenceVersion: version,
        position: try words.position())
    } catch {
      return nil
    }
  }

  func encoded() -> [UInt8] {
    var words = BusWords()
    words.append(driver.rawValue)
    words.append(Int64(presence.rawValue))
    words.append(presenceVersion)
    words.append(position)
    return words.bytes
  }
}
