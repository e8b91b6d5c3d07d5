import Base
import Testing

@testable import RPC

/// Who decompresses when there is more of it than one tick has room for.
struct InflateTurnsTests {
  private static let share = RPCLimits.inflatedBytesPerTick

  /// Notes who had a turn, each of which takes `cost`.
  private final class Order {
    let turns = InflateTurns()
    var names: [String] = []

    /// The first two letters name the host and the connection.
    @discardableResult
    func wait(_ name: String, cost: Int = share) -> InflateTurns.Turn {
      let letters = name.utf8.prefix(2).map { Int64($0) }
      return turns.wait(InflateTurns.Owner(host: String(name.prefix(1)), connection: letters[1])) {
        self.turns.spend(cost)
        self.names.append(name)
      }
    }

    func tick() {
      turns.tickBegan()
      turns.takeTurns()
    }

    func tickToTheEnd() {
      while turns.areWaiting { tick() }
    }
  }

  @Test func `connections take turns, and each keeps its order`() {
    let order = Order()
    for name in ["aa1", "aa2", "aa3", "ab1"] { order.wait(name) }
    #expect(order.names.isEmpty)
    order.tickToTheEnd()
    #expect(order.names == ["aa1", "ab1", "aa2", "aa3"])
  }

  @Test func `hosts take turns, however many connections each has`() {
    let order = Order()
    for connection in "abcdefgh" { order.wait("a\(connection)1") }
    order.wait("ba1")
    order.wait("ba2")
    order.tickToTheEnd()
    #expect(order.names == ["aa1", "ba1", "ab1", "ba2", "ac1", "ad1", "ae1", "af1", "ag1", "ah1"])
  }

  @Test func `a tick has one share, whoever takes it`() {
    let order = Order()
    #expect(order.turns.mayGoOn)
    order.turns.spend(Self.share - 1)
    #expect(order.turns.mayGoOn)
    for index in 0..<4 { order.wait("aa\(index)", cost: Self.share / 2) }
    #expect(!order.turns.mayGoOn, "who comes later does not overtake")
    // The tick goes on with what it has left, and that is once.
    order.turns.takeTurns()
    order.turns.takeTurns()
    #expect(order.names == ["aa0"])
    order.tick()
    #expect(order.names == ["aa0", "aa1", "aa2"])
    order.turns.takeTurns()
    #expect(order.names.count == 3)
    order.tick()
    #expect(order.names.count == 4 && order.turns.mayGoOn)
    #expect(order.turns.mostPerTick == Self.share - 1 + Self.share / 2)
  }

  @Test func `a turn that is given up makes room for the next`() {
    let order = Order()
    let given = ["aa1", "aa3", "ab1", "ba1"].map { order.wait($0) }
    order.wait("aa2")
    order.wait("bb1")
    #expect(order.turns.waitingCount == 6)
    for turn in given + given { order.turns.giveUp(turn) }
    #expect(order.turns.waitingCount == 2)
    order.tickToTheEnd()
    #expect(order.names == ["aa2", "bb1"])
    // The one that had its turn as well, and somebody with the same name afterwards.
    let late = order.wait("aa4")
    order.tick()
    order.turns.giveUp(late)
    order.wait("aa5")
    order.tick()
    #expect(order.names.suffix(2) == ["aa4", "aa5"])
    #expect(order.turns.waitingCount == 0 && !order.turns.areWaiting)
  }

  @Test func `turns come out as they should, whoever comes and goes`() {
    let random = SeededRandomSource(seed: 11)
    let order = Order()
    var waiting: [(name: String, turn: InflateTurns.Turn)] = []
    for round in 0..<5000 {
      switch random.below(3) {
      case 0, 1:
        let name = ["a", "b", "c"][Int(random.below(3))] + ["a", "b"][Int(random.below(2))] + "\(round)"
        waiting.append((name, order.wait(name)))
      default:
        if !waiting.isEmpty, random.below(2) == 0 {
          order.turns.giveUp(waiting.remove(at: Int(random.below(UInt64(waiting.count)))).turn)
        } else {
          order.tick()
          guard let name = order.names.last else { continue }
          guard let index = waiting.firstIndex(where: { $0.name == name }) else { continue }
          #expect(!waiting[..<index].contains { $0.name.prefix(2) == name.prefix(2) }, "\(name) has overtaken")
          waiting.remove(at: index)
        }
      }
      #expect(order.turns.waitingCount == waiting.count)
    }
  }

  @Test func `what costs more than there are numbers is no overflow`() {
    let turns = InflateTurns()
    turns.spend(1)
    turns.spend(.max)
    turns.spend(.max)
    #expect(!turns.mayGoOn)
    turns.tickBegan()
    #expect(turns.mayGoOn)
  }
}
