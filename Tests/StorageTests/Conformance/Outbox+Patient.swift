import Base

@testable import Storage

extension Outbox {
  /// One that gives up no delivery, which takes long on a busy machine.
  static func patient(_ database: any Database, _ clock: any WallClock, _ random: any RandomSource) -> Outbox {
    Outbox(database: database, clock: clock, random: random, longestDelivery: .seconds(600))
  }
}
