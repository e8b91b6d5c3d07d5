import Base
import FoundationEssentials
import OctetServer
import Pinboard

/// octetd with the board.
@main
struct OctetdBoard {
  /// Not async: see `ServerProgram.run`.
  static func main() {
    let board = AddedDomain {
      PinboardDomain(
        kit: $0.kit, jobs: $0.jobs, people: $0.people, notices: $0.notices, queue: $0.queue, tables: $0.tables)
    }
    ServerProgram(adding: [board], clock: clock).run()
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
