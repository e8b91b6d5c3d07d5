import Testing

@testable import Base

@Suite struct BoundedCacheTests {
  @Test func `a cache stays within its bound and keeps what is used`() {
    var cache = BoundedCache<Int, Int>(capacity: 10)
    for number in 0..<1000 {
      cache[number] = number
      #expect(cache[0] == 0)
      #expect(cache.count <= 10)
    }
    #expect(cache[500] == nil && cache[999] == 999)
    cache[0] = nil
    #expect(cache[0] == nil)
  }

  @Test func `an update begins with the value that is there, young or old, and stays within the bound`() {
    var cache = BoundedCache<Int, Int>(capacity: 4)
    for _ in 0..<3 { cache.update(0, initial: 10) { $0 += 1 } }
    #expect(cache[0] == 13)
    for number in 1...3 { cache.update(number, initial: number) { _ in } }
    #expect(cache.update(0, initial: 0) { $0 } == 13)
    for number in 4..<100 { cache.update(number, initial: number) { _ in } }
    #expect(cache.count <= 4 && cache.update(0, initial: 7) { $0 } == 7)
  }

  @Test func `the key of the last update is found wherever it has moved, and not when it has gone`() {
    var cache = BoundedCache<Int, Int>(capacity: 8)
    for other in 1...200 {
      for _ in 0..<2 { cache.update(0, initial: 0) { $0 += 1 } }
      // Moves others, makes room, or begins a generation.
      cache[other] = other
      #expect(cache.update(0, initial: 0) { $0 } == 2 * other && cache[0] == 2 * other)
      cache[-other] = other
      for _ in 0..<2 { #expect(cache[0] == 2 * other) }
    }
    cache[0] = nil
    #expect(cache[0] == nil)
    #expect(cache.update(0, initial: 5) { $0 } == 5)
    var copy = cache
    copy.update(0, initial: 0) { $0 = 9 }
    #expect(cache[0] == 5 && copy[0] == 9)
    copy[0] = 6
    #expect(cache[0] == 5 && copy[0] == 6)
  }

  /// A key whose equals can be told apart.
  private struct Copied: Hashable {
    let number: Int
    let copy: Int

    static func == (a: Copied, b: Copied) -> Bool { a.number == b.number }
    func hash(into hasher: inout Hasher) { hasher.combine(number) }
  }

  @Test func `the keys that a cache holds are those that were put in, not those that were asked for`() {
    var cache = BoundedCache<Copied, Int>(capacity: 4)
    for number in 0..<2 { cache[Copied(number: number, copy: 1)] = number }
    #expect(cache[Copied(number: 0, copy: 2)] == 0 && cache.latest?.key.copy == 1)
    // A new generation: what is asked for then moves into it.
    cache[Copied(number: 2, copy: 1)] = 2
    #expect(cache.old.count == 2)
    for number in 0..<3 { _ = cache[Copied(number: number, copy: 2)] }
    #expect([cache.young, cache.old].allSatisfy { $0.keys.allSatisfy { $0.copy == 1 } })
  }

  @Test func `entries that cost something stay within what they may cost together`() {
    var cache = BoundedCache<Int, [UInt8]>(capacity: 100) { $0.count }
    var held: Int { (0..<200).reduce(0) { $0 + (cache.young[$1]?.count ?? 0) + (cache.old[$1]?.count ?? 0) } }
    for number in 0..<200 {
      cache[number] = [UInt8](repeating: 1, count: number % 40)
      #expect(cache[number]?.count == number % 40 && held <= 100)
    }
    cache[7] = [UInt8](repeating: 1, count: 51)
    #expect(cache[7] == nil)
    // In place of a cheaper one, and grown by an update.
    for size in 1...50 { cache[8] = [UInt8](repeating: 1, count: size) }
    for _ in 0..<60 { cache.update(9, initial: []) { $0.append(1) } }
    #expect(held <= 100)
  }
}
