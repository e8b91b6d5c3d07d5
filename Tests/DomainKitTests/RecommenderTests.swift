import Base
import Testing

@testable import DomainKit

@Suite struct RecommenderTests {
  private static let now = ManualClock().now()

  private static func ago(_ days: Int64) -> Instant { now - .seconds(days * 86_400) }

  private func candidate(
    _ id: Int64, _ category: String, orders: Int64 = 0, with together: [Int64: Int64] = [:], units: Double = 0,
    isAvailable: Bool = true, boughtAt: Instant? = nil
  ) -> Candidate {
    Candidate(
      item: Identifier(rawValue: id), category: category, orders: orders,
      ordersTogether: Dictionary(uniqueKeysWithValues: together.map { (Identifier(rawValue: $0), $1) }),
      unitsOrdered: DecayingSum(value: units, at: Self.now), isAvailable: isAvailable, boughtAt: boughtAt)
  }

  private func event(_ item: Int64, _ category: String, days: Int64, orders: Int64 = 1) -> TasteEvent {
    TasteEvent(item: Identifier(rawValue: item), category: category, at: Self.ago(days), orders: orders)
  }

  private func rank(
    _ candidates: [Candidate], _ events: [TasteEvent] = [], limit: Int = 100
  ) -> [(id: Int64, score: Double, reason: Recommendation.Reason)] {
    Recommender.rank(candidates, events: events, now: Self.now, limit: limit).map {
      ($0.item.rawValue, $0.score, $0.reason)
    }
  }

  @Test func `scores are those computed by hand`() {
    // Item 100 (16 orders, books) a week ago; item 200 (4 orders, toys) now.
    let events = [event(100, "books", days: 7, orders: 16), event(200, "toys", days: 0, orders: 4)]
    let ranked = rank(
      [
        // co = ½ · 4/√(4·16) = 0.25; taste = 2^−½ = 0.7071; pop 10.
        candidate(1, "books", orders: 4, with: [100: 4], units: 10),
        // co = 1 · 3/√(9·4) = 0.5, the greatest; taste = 0; pop 5.
        candidate(2, "tools", orders: 9, with: [200: 3], units: 5),
        // co = 0 (never together); taste = 1, the greatest; pop 40, the greatest.
        candidate(3, "toys", orders: 7, units: 40),
      ], events)
    let expected: [Int64: (score: Double, reason: Recommendation.Reason)] = [
      // 0.5 · 0.5 + 0.3 · 0.70710678 + 0.2 · 0.25
      1: (0.512132034, .orderedTogether),
      // 0.5 · 1 + 0 + 0.2 · 0.125
      2: (0.525, .orderedTogether),
      // 0 + 0.3 + 0.2
      3: (0.5, .taste),
    ]
    for each in ranked {
      let wanted = expected[each.id]
      #expect(abs(each.score - (wanted?.score ?? 0)) < 1e-9 && each.reason == wanted?.reason)
    }
    #expect(ranked.map(\.id) == [2, 1, 3])
  }

  @Test func `only the newest fifty events count, and none of the thing itself`() {
    let old = event(100, "old", days: 40, orders: 1)
    let newer = (0..<50).map { _ in event(300, "new", days: 1) }
    let candidates = [
      candidate(1, "old", orders: 1, with: [100: 1], units: 1), candidate(300, "new", orders: 1, with: [300: 1]),
    ]
    let ranked = rank(candidates, newer + [old])
    #expect(ranked.map(\.id) == [300, 1])
    #expect(ranked.map(\.reason) == [.taste, .popular] && abs(ranked[0].score - 0.3) < 1e-9)
    let without = rank(candidates, newer.dropLast() + [old])
    #expect(without.map(\.id) == [1, 300] && without[0].reason == .orderedTogether)
  }

  @Test func `what was bought in thirty days or is unavailable is left out, and sets no measure for others`() {
    let ranked = rank([
      candidate(1, "a", units: 100, boughtAt: Self.ago(29)), candidate(2, "b", units: 8, boughtAt: Self.ago(30)),
      candidate(3, "c", units: 100, isAvailable: false), candidate(4, "d", units: 4), candidate(5, "e"),
    ])
    #expect(ranked.map(\.id) == [2, 4, 5])
    #expect(ranked.map(\.score) == [0.2, 0.1, 0] && ranked.allSatisfy { $0.reason == .popular })
  }

  @Test func `no more than three of one category follow each other, and equal scores go by id`() {
    let same = (1...6).reversed().map { candidate(Int64($0), "a", units: 10) }
    let others = [candidate(7, "b", units: 2), candidate(8, "b", units: 1)]
    #expect(rank(others + same).map(\.id) == [1, 2, 3, 7, 4, 5, 6, 8])
    #expect(rank(others + same, limit: 5).map(\.id) == [1, 2, 3, 7, 4])
    #expect(rank(same).map(\.id) == [1, 2, 3])
    #expect(rank([]).isEmpty)
  }

  @Test func `a sum halves in each half-life, whatever the order of its parts`() {
    let halfLife = Recommender.popularityHalfLife
    var (forth, back) = (DecayingSum(at: Self.ago(9)), DecayingSum(at: Self.ago(9)))
    let parts: [(Double, Int64)] = [(8, 6), (4, 3), (1, 0)]
    for (units, days) in parts { forth.add(units, at: Self.ago(days), halfLife: halfLife) }
    for (units, days) in parts.reversed() { back.add(units, at: Self.ago(days), halfLife: halfLife) }
    // 8/4 + 4/2 + 1.
    #expect(forth.value(at: Self.now, halfLife: halfLife) == 5 && back.value(at: Self.now, halfLife: halfLife) == 5)
    #expect(forth.value(at: Self.now + halfLife, halfLife: halfLife) == 2.5)
  }
}
