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

  @Test func `a state of another length is none`() {
    #expect(SHA256(storedState: []) == nil)
    #expect(SHA256(storedState: [UInt8](repeating: 0, count: SHA256.stateLength + 1)) == nil)
  }
}
