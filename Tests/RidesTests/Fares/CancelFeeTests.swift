import Base
import Testing

@testable import Rides

@Suite struct CancelFeeTests {
  private let start = Instant(seconds: 1_767_225_600)

  private func fee(assigned: Int64?, due: Int64?, arrived: Int64? = nil, now: Int64) -> Int64 {
    func instant(_ seconds: Int64?) -> Instant? { seconds.map { start + .seconds($0) } }
    return CancelFee(
      assignedAt: instant(assigned), pickupDueAt: instant(due), arrivedAt: instant(arrived), cityFee: 500,
      now: start + .seconds(now), limits: RidesLimits()
    ).total
  }

  @Test func `cancelling is free before the assignment and for two minutes after it`() {
    #expect(fee(assigned: nil, due: nil, now: 9_999) == 0)
    #expect(fee(assigned: 0, due: 600, now: 120) == 0)
    #expect(fee(assigned: 0, due: 600, now: 121) == 500)
  }

  @Test func `cancelling is free if the driver is five minutes late`() {
    #expect(fee(assigned: 0, due: 600, now: 899) == 500)
    #expect(fee(assigned: 0, due: 600, now: 900) == 0)
    #expect(fee(assigned: 0, due: 600, arrived: 899, now: 2_000) == 500, "not late, but waiting since")
    #expect(fee(assigned: 0, due: 600, arrived: 900, now: 2_000) == 0)
  }

  @Test func `the driver gets 80 percent, rounded half up, and the parts add up`() {
    for (total, share) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (500, 400), (.max, .max / 5 * 4 + 2)]
      as [(Int64, Int64)]
    {
      let fee = CancelFee(total: total)
      #expect(fee.driverShare == share)
      #expect(fee.driverShare + fee.platformShare == total)
    }
  }
}
