import Base
import RidesAPI

/// Where a ride stands and its driver is.
struct TrackPoint: Sendable, Equatable {
  let state: RideState
  /// The ride's version in that state; 0 if it is not known.
  let version: Int64
  let driver: Identifier?
  /// Nil until it is known.
  let position: AcceptedPosition?

  /// The state from the one that knows the newer one, with the newest position of that state's driver: one node knows
  /// where the ride stands, another one where the driver is.
  /// - Returns: nil if the other one says nothing new.
  func merged(with other: TrackPoint) -> TrackPoint? {
    let later = other.version > version ? other : self
    let positions = [self, other].map { $0.driver == later.driver ? $0.position : nil }
    let merged = TrackPoint(
      state: later.state, version: later.version, driver: later.driver, position: .newest(positions[0], positions[1]))
    return merged == self ? nil : merged
  }
}

extension TrackPoint {
  /// Nil for what is none.
  init?(decoding bytes: [UInt8]) {
    guard var words = BusWords(bytes), words.left >= 3 else { return nil }
    let (state, version, driver) = (words.word(), words.word(), words.word())
    guard let state = Int32(exactly: state) else { return nil }
    do throws(NoMessage) {
      self.init(
        state: RideState(rawValue: state), version: version, driver: driver == 0 ? nil : Identifier(rawValue: driver),
        position: try words.position())
    } catch {
      return nil
    }
  }

  func encoded() -> [UInt8] {
    var words = BusWords()
    words.append(Int64(state.rawValue))
    words.append(version)
    words.append(driver?.rawValue ?? 0)
    words.append(position)
    return words.bytes
  }
}
