import Testing

@testable import RPC

/// Who decompresses when there is more of it than one tick has room for.
struct InflateTurnsTests {
  @Test("connections take turns, and each keeps its order")
  func roundRobin() async {
    let executor = QueueExecutor()
    let order: [String] = await withCheckedContinuation { continuation in
      executor.execute {
        let turns = InflateTurns()
        let box = Order()
        #expect(turns.mayGoOn)
        turns.spend(RPCLimits.inflatedBytesPerTick)
        #expect(!turns.mayGoOn)
        for name in ["a1", "a2", "a3", "b1"] {
          turns.wait(String(name.prefix(1)), on: executor) {
            turns.spend(RPCLimits.inflatedBytesPerTick)
            box.names.append(name)
            if box.names.count == 4 { continuation.resume(returning: box.names) }
          }
        }
        #expect(box.names.isEmpty)
        turns.tickBegan()
        #expect(!turns.mayGoOn, "who comes later does not overtake")
      }
    }
    #expect(order == ["a1", "b1", "a2", "a3"])
  }

  private final class Order: @unchecked Sendable {
    // Touched on the executor only.
    var names: [String] = []
  }
}
