import Base
import FoundationEssentials
import OctetServer
import Pinboard

/// octetd with the board.
@main
struct OctetdBoard {
  /// Not async: see `ServerProgram.run`.
  static func main() {
    ServerProgram(adding: [AddedDomain { PinboardDomain($0) }], clock: clock).run()
  }

  /// Which time it is for tests of what happens at one instant of the year: BOARD_TIME, in seconds since 1970, is when the
  /// server begins.
  private static var clock: any WallClock {
    guard let text = ProcessInfo.processInfo.environment["BOARD_TIME"], let seconds = Int64(text) else {
      return SystemClock()
    }
    return ShiftedClock(shift: Instant(seconds: seconds) - SystemClock().now())
  }
}

/// Goes as the system's clock does, at another time.
private struct ShiftedClock: WallClock {
  let shift: Duration

  func now() -> Instant { SystemClock().now() + shift }
}
