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
      #expect(parts.allSatisfy { $0.bytes.count <= SearchPostings.partBytes })
      var found: [(Int, UInt16)] = []
      for (index, part) in parts.enumerated() {
        let before = found.count
        SearchPostings.forEach([part.bytes], documents: documents) { found.append(($0, $1)) }
        #expect(part.first == (index == 0 ? 0 : found[before].0), "each part can be found and read alone")
      }
      #expect(found.elementsEqual(expected, by: ==) && list.count == expected.count, "seed 11, density \(density)")
    }
  }

  @Test func `a list of all documents with one impact takes two octets`() {
    var list = SearchPostings.Builder()
    for ordinal in 0..<1000 { list.append(ordinal, 258) }
    let parts = list.finished(documents: 1000)
    #expect(parts == [SearchPostings.Part(first: 0, bytes: [1, 2])])
    var found: [Int] = []
    SearchPostings.forEach(parts.map(\.bytes), documents: 1000) { ordinal, impact in
      if impact == 258 { found.append(ordinal) }
    }
    #expect(found == Array(0..<1000))
  }

  @Test func `the best postings are those of the greatest impacts, the first of equals, in their order`() {
    for range in [1, 5, 65_535] as [UInt64] {
      let postings = (0..<500).map { (ordinal: Int32($0 * 3), impact: UInt16(1 + random.below(range))) }
      for count in [1, 7, 499, 500, 600] {
        let sorted = postings.sorted { ($1.impact, $0.ordinal) < ($0.impact, $1.ordinal) }
        let expected = sorted.prefix(count).sorted { $0.ordinal < $1.ordinal }
        let found = SearchPostings.best(count, of: postings)
        #expect(found.elementsEqual(expected, by: ==), "seed 11, impacts up to \(range), \(count)")
      }
    }
  }

  @Test func `any ids and numbers come back`() {
    let ids = ([.min, -1, 0, 1, .max] + (0..<2000).map { _ in Int64(bitPattern: random.next()) }).sorted()
    let parts = SearchPostings.parts(ids: ids)
    var found: [Int64] = []
    for part in parts { SearchPostings.appendIDs(of: part.bytes, to: &found) }
    #expect(found == ids && parts.allSatisfy { $0.bytes.count <= SearchPostings.partBytes }, "seed 11")

    for spread in [0, 1, 255, 256, UInt64.max] {
      let numbers = (0..<1000).map { _ -> Int64? in
        if spread > 1, random.below(4) == 0 { return nil }
        return Int64(bitPattern: spread == .max ? random.next() : random.below(spread + 1))
      }
      let parts = SearchColumn.parts(numbers)
      #expect(parts.allSatisfy { $0.bytes.count <= SearchPostings.partBytes })
      var all = SearchColumn(parts)
      #expect((0..<1000).map { all.number($0) } == numbers, "seed 11, spread \(spread)")
      // Some documents in rising order, of which some are beyond what was read.
      let part = parts[parts.count / 2]
      var one = SearchColumn([part])
      let there = part.first..<(part.first + SearchColumn.Numbers(part.bytes).count)
      for ordinal in stride(from: 0, to: 1000, by: 7) {
        #expect(one.number(ordinal) == (there.contains(ordinal) ? numbers[ordinal] : nil))
      }
    }
  }

  @Test func `the terms of a dictionary are found in the row that begins at or before them`() {
    var entries: [SearchTerms.Entry] = []
    var term = Int64.min
    for _ in 0..<3000 {
      let list = (0..<random.below(UInt64(SearchTerms.listBytes) + 1)).map { _ in UInt8(random.below(256)) }
      entries.append(SearchTerms.Entry(term: term, total: Int(random.below(1 << 20)), list: list))
      term += 1 + Int64(random.below(1 << 51))
    }
    var builder = SearchTerms.Builder()
    var rows = entries.compactMap { builder.append($0) }
    builder.finish().map { rows.append($0) }
    #expect(builder.finish() == nil)
    #expect(rows.allSatisfy { $0.bytes.count <= SearchPostings.partBytes })
    #expect(rows.dropLast().allSatisfy { $0.bytes.count > SearchPostings.partBytes * 2 / 3 }, "rows are filled")
    #expect(rows.flatMap { SearchTerms.entries(in: $0.bytes) } == entries, "seed 11")
    for entry in entries {
      let row = rows.last { $0.term <= entry.term }
      #expect(row.flatMap { SearchTerms.entry(of: entry.term, in: $0.bytes) } == entry, "seed 11")
      let absent = entries.contains { $0.term == entry.term + 1 } ? nil : entry.term + 1
      #expect(absent.flatMap { term in row.flatMap { SearchTerms.entry(of: term, in: $0.bytes) } } == nil)
    }
  }
}
