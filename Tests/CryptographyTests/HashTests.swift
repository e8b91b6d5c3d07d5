import Cryptography
import Testing

/// Known answers come from the documents that define the algorithms.
@Suite struct HashTests {
  private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  @Test func `BLAKE2b gives the answer of RFC 7693`() {
    #expect(
      hex(Hash.blake2b(Array("abc".utf8), length: 64))
        == "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
        + "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923")
  }

  @Test func `SHA-256 gives the answers of FIPS 180-4`() {
    #expect(
      hex(Hash.sha256(Array("abc".utf8))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(hex(Hash.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test func `HMAC-SHA-256 gives the answers of RFC 4231`() {
    #expect(
      hex(Hash.hmacSHA256(Array("Hi There".utf8), key: SecretKey([UInt8](repeating: 0x0b, count: 20))))
        == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
    #expect(
      hex(Hash.hmacSHA256(Array("what do ya want for nothing?".utf8), key: SecretKey(Array("Jefe".utf8))))
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
  }

  @Test func `a key changes the hash, and so does the wanted length`() {
    let message = Array("message".utf8)
    let hashes = [
      Hash.blake2b(message), Hash.blake2b(message, key: SecretKey([UInt8](repeating: 1, count: 32))),
      Hash.blake2b(message, key: SecretKey([UInt8](repeating: 2, count: 32))),
      Array(Hash.blake2b(message, length: 64).prefix(32)),
    ]
    #expect(Set(hashes).count == hashes.count)
    #expect(Hash.blake2b(message, length: 16).count == 16)
  }

  @Test func `keys for different purposes differ, and are the same every time`() {
    let key = SecretKey([UInt8](repeating: 1, count: 32))
    let bytes = { (key: SecretKey) in key.withBytes { Array($0) } }
    #expect(bytes(key.derived(for: "a")) == bytes(key.derived(for: "a")))
    #expect(bytes(key.derived(for: "a")) != bytes(key.derived(for: "b")))
    #expect(bytes(key.derived(for: "a")) != bytes(key))
  }
}
