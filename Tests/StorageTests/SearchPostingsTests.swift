import Base
import Testing

@testable import Storage

@Suite struct SearchPostingsTests {
  private let random = SeededRandomSource(seed: 11)

  @Test func `lists come back as they were, in parts of a bounded size`() {
    for density in [1, 3, 200, 100_000] as [UInt64] {
      let documents = 300_000
      var (list, expected) = (SearchPostings.Builder(), [(Int, UInt16)]())
      var ordinal = Int(random.below(density))
      while ordinal < documents {
        let impact = UInt16(1 + random.below(65_535))
        list.append(ordinal, impact)
        expected.append((ordinal, impact))
        ordinal += 1 + Int(random.below(density))
      }
      let parts = list.finished(documents: documents)
      #expect(parts.allSatisfy { $0.count <= SearchPostings.partBytes })
      var found: [(Int, UInt16)] = []
      SearchPostings.forEach(parts, documents: documents) { found.append(($0, $1)) }
      #expect(found.elementsEqual(expected, by: ==) && list.count == expected.count, "seed 11, density \(density)")
    }
  }

  @Test func `a list of all documents with one impact takes two octets`() {
    var list = SearchPostings.Builder()
    for ordinal in 0..<1000 { list.append(ordinal, 258) }
    let parts = list.finished(documents: 1000)
    #expect(parts == [[1, 2]])
    var found: [Int] = []
    SearchPostings.forEach(parts, documents: 1000) { ordinal, impact in if impact == 258 { found.append(ordinal) } }
    #expect(found == Array(0..<1000))
  }

  @Test func `any ids and numbers come back`() {
    let ids = ([.min, -1, 0, 1, .max] + (0..<2000).map { _ in Int64(bitPattern: random.next()) }).sorted()
    let parts = SearchPostings.parts(ids: ids)
    var found: [Int64] = []
    for part in parts { SearchPostings.appendIDs(of: part, to: &found) }
    #expect(found == ids && parts.allSatisfy { $0.count <= SearchPostings.partBytes }, "seed 11")

    for spread in [0, 1, 255, 256, UInt64.max] {
      let numbers = (0..<1000).map { _ -> Int64? in
        if random.below(4) == 0 { return nil }
        return Int64(bitPattern: spread == .max ? random.next() : random.below(spread + 1))
      }
      let parts = SearchPostings.parts(numbers: numbers)
      #expect(parts.allSatisfy { $0.count <= SearchPostings.partBytes })
      for (index, number) in numbers.enumerated() {
        let part = index / SearchPostings.numbersOfPart
        let start = part * SearchPostings.numbersOfPart
        let count = min(SearchPostings.numbersOfPart, numbers.count - start)
        #expect(SearchPostings.number(index - start, in: parts[part], of: count) == number, "seed 11, spread \(spread)")
      }
    }
  }
}
