import Cryptography
import Testing

@Suite struct SecretTests {
  @Test func `a secret keeps its bytes and does not print them`() {
    let key = SecretKey([1, 2, 3])
    #expect(key.withBytes { Array($0) } == [1, 2, 3])
    #expect(key.count == 3)
    #expect("\(key)" == "SecretKey(3 bytes)")
    #expect(SecretKey([]).withBytes { Array($0) }.isEmpty)
  }

  @Test func `wiping leaves zeros`() {
    var bytes: [UInt8] = [1, 2, 3]
    wipe(&bytes)
    #expect(bytes == [0, 0, 0])
    var nothing: [UInt8] = []
    wipe(&nothing)
    #expect(nothing.isEmpty)
  }

  @Test func `comparison in constant time compares`() {
    #expect(isEqualInConstantTime([1, 2], [1, 2]))
    #expect(isEqualInConstantTime([], []))
    #expect(!isEqualInConstantTime([1, 2], [1, 3]))
    #expect(!isEqualInConstantTime([1, 2], [1, 2, 3]))
  }

  @Test func `random bytes have the wanted length and do not repeat`() {
    for count in [0, 1, 32, 1000] { #expect(RandomBytes.make(count).count == count) }
    #expect(RandomBytes.make(32) != RandomBytes.make(32))
    #expect(RandomBytes().next() != RandomBytes().next())
  }
}
