import Base

/// Decides which of one driver's readings are believed. A pure value: the owner keeps one per driver, feeds it every
/// reading in the order of arrival and acts on the outcome.
///
/// ```swift
/// switch try filter.admit(reading, now: clock.now()) {      // throws PositionRefusal
/// case .accepted(let position, let replacesPrevious):
///   if replacesPrevious, trail.last is not yet durable { trail.removeLast() }
///   trail.append(position)
///   index.place(driver, at: position.coordinate)
/// case .keptAside: break                                     // nothing is shown or stored
/// }
/// ```
///
/// Accepted sequences and times strictly rise. The trail that follows the rule above has at most two points in any
/// second, and no two neighbours in it are further apart than `maximumSpeed` allows unless a second reading confirmed
/// the jump.
struct PositionFilter: Sendable, Equatable {
  /// Readings may be this old, in milliseconds.
  static let ages: ClosedRange<Int64> = 0...60_000

  /// Readings less certain than this are of no use for dispatch.
  static let accuracies = 0.0...100.0

  /// Metres per second from point to point: faster than any car, slower than the leaps of a confused receiver.
  static let maximumSpeed = 70.0

  /// In a span of this length at most two positions are kept: the newest replaces the second.
  static let rateSpan: Duration = .seconds(1)

  /// What became of a reading that was not refused.
  enum Outcome: Equatable {
    /// The driver is here now. If `replacesPrevious`, the position accepted before this one was the second within a
    /// second and gives way to it; a trail that has already stored it may keep it.
    case accepted(AcceptedPosition, replacesPrevious: Bool)

    /// Too far from the last position to be believed at once. If the next reading is near this one, that one will be
    /// accepted; if not, this one is forgotten.
    case keptAside
  }

  /// The last accepted position; nil before the first.
  private(set) var last: AcceptedPosition?

  /// The one before it that is kept, for the rate and for the speed when `last` gives way.
  private var beforeLast: AcceptedPosition?

  /// The implausible position that waits to be confirmed.
  private var aside: AcceptedPosition?

  /// - Parameter last: where to go on, from a checkpoint. The readings that it already covers are refused as old.
  init(resumingAfter last: AcceptedPosition? = nil) {
    self.last = last
  }

  /// Judges a reading that arrived at `now`.
  /// - Throws: `.rejected` naming every field out of range, else `.old` for what is not newer than all before it:
  ///   doubled, overtaken or taken at the same instant.
  mutating func admit(_ reading: PositionReading, now: Instant) throws(PositionRefusal) -> Outcome {
    let position = try Self.validated(reading, now: now)
    // What waits aside counts too: its repetition must not confirm it.
    for earlier in [last, aside] {
      guard let earlier else { continue }
      guard position.sequence > earlier.sequence, position.time > earlier.time else { throw .old }
    }
    guard position.sequence > 0 else { throw .old }

    guard let last else { return accept(position, replacesPrevious: false) }
    // The point that this one will follow in the trail.
    var predecessor = last
    var replacesPrevious = false
    if let beforeLast, position.time - beforeLast.time < Self.rateSpan {
      (predecessor, replacesPrevious) = (beforeLast, true)
    }
    let isConfirmed = aside.map { Self.isPlausible(from: $0, to: position) } ?? false
    guard Self.isPlausible(from: predecessor, to: position) || isConfirmed else {
      aside = position
      return .keptAside
    }
    return accept(position, replacesPrevious: replacesPrevious)
  }

  private mutating func accept(_ position: AcceptedPosition, replacesPrevious: Bool) -> Outcome {
    if !replacesPrevious { beforeLast = last }
    last = position
    aside = nil
    return .accepted(position, replacesPrevious: replacesPrevious)
  }

  private static func validated(
    _ reading: PositionReading, now: Instant
  ) throws(PositionRefusal) -> AcceptedPosition {
    var isBad: [PositionField: Bool] = [
      .age: !ages.contains(reading.ageMilliseconds),
      .accuracy: !accuracies.contains(reading.accuracyMetres),
    ]
    do throws(CoordinateError) {
      let coordinate = try Coordinate(latitude: reading.latitude, longitude: reading.longitude)
      if !isBad.values.contains(true) {
        return AcceptedPosition(
          sequence: reading.sequence,
          time: now - .milliseconds(reading.ageMilliseconds),
          coordinate: coordinate,
          accuracyMetres: reading.accuracyMetres,
          speedMetresPerSecond: reading.speedMetresPerSecond.flatMap { $0 >= 0 && $0.isFinite ? $0 : nil })
      }
    } catch {
      isBad[.latitude] = error.latitudeIsBad
      isBad[.longitude] = error.longitudeIsBad
    }
    throw .rejected(PositionField.allCases.filter { isBad[$0] == true })
  }

  /// Whether a car can have gone from one to the other.
  private static func isPlausible(from earlier: AcceptedPosition, to later: AcceptedPosition) -> Bool {
    let seconds = Double((later.time - earlier.time).inNanoseconds) / 1e9
    return earlier.coordinate.distance(to: later.coordinate) <= maximumSpeed * seconds
  }
}
