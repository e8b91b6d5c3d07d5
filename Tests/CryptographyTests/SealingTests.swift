import Cryptography
import Testing

@Suite struct SealingTests {
  private let message = Array("attack at dawn".utf8)

  @Test func `what is sealed opens with the same key and context only`() throws {
    let key = try SealingKey(.random())
    let box = key.seal(message, context: [1])
    #expect(box.count == message.count + SealingKey.overhead)
    #expect(try key.open(box, context: [1]) == message)
    #expect(throws: CryptographyError.notAuthentic) { try key.open(box, context: [2]) }
    #expect(throws: CryptographyError.notAuthentic) { try key.open(box) }
    let other = try SealingKey(.random())
    #expect(throws: CryptographyError.notAuthentic) { try other.open(box, context: [1]) }
  }

  @Test func `any changed byte and any cut is noticed`() throws {
    let key = try SealingKey(.random())
    let box = key.seal(message)
    for index in box.indices {
      var changed = box
      changed[index] ^= 1
      #expect(throws: CryptographyError.notAuthentic) { try key.open(changed) }
      #expect(throws: CryptographyError.notAuthentic) { try key.open(Array(box.prefix(index))) }
    }
  }

  @Test func `nothing can be sealed too, and the same text never looks the same`() throws {
    let key = try SealingKey(.random())
    #expect(try key.open(key.seal([])) == [])
    #expect(key.seal(message) != key.seal(message))
  }

  @Test func `a key of another length is refused`() {
    #expect(throws: CryptographyError.wrongLength) { try SealingKey(SecretKey([1, 2, 3])) }
  }
}

@Suite struct SignatureTests {
  private func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex)
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
  }

  @Test func `Ed25519 gives the second answer of RFC 8032`() throws {
    let key = try SigningKey(
      seed: SecretKey(bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")))
    #expect(key.publicKey == bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"))
    #expect(
      key.sign([0x72])
        == bytes(
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"))
  }

  @Test func `only the owner's signature of that message is valid`() throws {
    let (key, other) = (try SigningKey(seed: .random()), try SigningKey(seed: .random()))
    let signature = key.sign([1, 2, 3])
    #expect(SigningKey.isValid(signature, of: [1, 2, 3], publicKey: key.publicKey))
    #expect(!SigningKey.isValid(signature, of: [1, 2, 4], publicKey: key.publicKey))
    #expect(!SigningKey.isValid(signature, of: [1, 2, 3], publicKey: other.publicKey))
    #expect(!SigningKey.isValid([], of: [1, 2, 3], publicKey: key.publicKey))
    #expect(!SigningKey.isValid(signature, of: [1, 2, 3], publicKey: []))
  }

  @Test func `a seed of another length is refused`() {
    #expect(throws: CryptographyError.wrongLength) { try SigningKey(seed: SecretKey([1])) }
  }
}
