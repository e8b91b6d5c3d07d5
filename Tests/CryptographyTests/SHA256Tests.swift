import Base
import Cryptography
import Testing

@Suite struct SHA256Tests {
  @Test func `pieces give the hash of the whole, with the state stored in between`() throws {
    let seed = UInt64.random(in: 0 ... .max)
    let random = SeededRandomSource(seed: seed)
    for _ in 0..<50 {
      let bytes = random.bytes(Int(random.below(1000)))
      var hash = SHA256()
      var rest = bytes[...]
      while !rest.isEmpty {
        let piece = Array(rest.prefix(1 + Int(random.below(200))))
        hash.update(piece)
        rest = rest.dropFirst(piece.count)
        #expect(hash.storedState.count == SHA256.stateLength)
        hash = try #require(SHA256(storedState: hash.storedState))
      }
      #expect(hash.hash() == Hash.sha256(bytes), "seed \(seed)")
    }
  }

  @Test func `a state that any program has stored is taken up`() throws {
    // The words with which SHA-256 begins (FIPS 180-4 §5.3.3), 24 bits so far, and those.
    let words: [UInt32] = [
      0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    var state = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
    state += [0, 0, 0, 0, 0, 0, 0, 24] + Array("abc".utf8) + [UInt8](repeating: 0, count: 61)
    #expect(try #require(SHA256(storedState: state)).hash() == Hash.sha256(Array("abc".utf8)))
    var begun = SHA256()
    begun.update(Array("abc".utf8))
    #expect(begun.storedState == state)
    // More than 4 GiB so far: the number of bits needs both of its words.
    state.replaceSubrange(32..<40, with: [0, 0, 0, 0x10, 0, 0, 0, 24])
    #expect(try #require(SHA256(storedState: state)).storedState == state)
  }

  @Test func `a state of another length is none`() {
    #expect(SHA256(storedState: []) == nil)
    #expect(SHA256(storedState: [UInt8](repeating: 0, count: SHA256.stateLength + 1)) == nil)
  }
}
