import Base
import FoundationEssentials
import Testing

/// The fuzz targets with their seeds and changes of them: a short run of what `make fuzz` does at length.
@Suite struct FuzzSmokeTests {
  private static let runs = 2000
  private static let longest = 4096

  static func seeds(of target: FuzzTarget) throws -> [[UInt8]] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Corpus/\(target.name)")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return try names.sorted().map { Array(try Data(contentsOf: folder.appending(path: $0))) }
  }

  @Test(arguments: FuzzTarget.all)
  func `what must hold does, for seeds and changes of them`(target: FuzzTarget) throws {
    let seeds = try Self.seeds(of: target)
    try #require(!seeds.isEmpty)
    for seed in [[]] + seeds { try check(target, seed) }
    let random = SeededRandomSource(seed: 0x0c7e7)
    for _ in 0..<Self.runs {
      var octets = seeds[Int(random.below(UInt64(seeds.count)))]
      for _ in 0...random.below(4) { Self.change(&octets, random, seeds) }
      try check(target, Array(octets.prefix(Self.longest)))
    }
  }

  private func check(_ target: FuzzTarget, _ octets: [UInt8]) throws {
    do {
      try target.run(octets)
    } catch {
      let text = octets.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      throw FuzzFailure(description: "\(target.name): \(error) for \(text)")
    }
  }

  /// One change of the kinds that libFuzzer makes.
  private static func change(_ octets: inout [UInt8], _ random: any RandomSource, _ seeds: [[UInt8]]) {
    func place(_ bound: Int) -> Int { Int(random.below(UInt64(bound))) }
    guard !octets.isEmpty else {
      octets = seeds[place(seeds.count)]
      return
    }
    let index = place(octets.count)
    switch random.below(7) {
    case 0: octets[index] ^= 1 << UInt8(random.below(8))
    case 1: octets[index] = UInt8(truncatingIfNeeded: random.next())
    case 2: octets.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
    case 3: octets.removeSubrange(index..<min(octets.count, index + 1 + place(8)))
    case 4: octets.insert(contentsOf: octets[index..<min(octets.count, index + 1 + place(64))], at: place(octets.count))
    case 5: octets[index] = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x20][place(8)]
    default:
      let other = seeds[place(seeds.count)]
      octets = Array(octets[..<index]) + other.suffix(place(other.count + 1))
    }
  }
}
