import Base
import Testing

@Suite struct Base64Tests {
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func `agrees with the test vectors of RFC 4648`(plain: String, padded: String) {
    let bytes = Array(plain.utf8)
    let unpadded = String(padded.prefix { $0 != "=" })
    #expect(Base64.standard.encode(bytes, padded: true) == padded)
    #expect(Base64.standard.encode(bytes) == unpadded)
    #expect(Base64.url.encode(bytes) == unpadded)
    #expect(Base64.url.decode(unpadded) == bytes)
    for text in [padded, unpadded] {
      #expect(Base64.standard.decode(text) == bytes)
      #expect(Base64.decodeLeniently(text) == bytes)
    }
  }

  @Test func `the alphabets differ in two letters`() {
    #expect(Base64.standard.encode([0xfb, 0xff]) == "+/8")
    #expect(Base64.url.encode([0xfb, 0xff]) == "-_8")
    #expect(Base64.standard.decode("-_8") == nil)
    #expect(Base64.url.decode("+/8") == nil)
    #expect(Base64.decodeLeniently("+_8=") == [0xfb, 0xff])
  }

  @Test(arguments: ["A", "AAAAA", "A===", "====", "Zg=", "Z g=", "Zg==Zg==", "Zm9vYg\n", "é"])
  func `refuses what is not base 64`(text: String) {
    #expect(Base64.standard.decode(text) == nil)
    #expect(Base64.url.decode(text) == nil)
    #expect(Base64.decodeLeniently(text) == nil)
  }

  @Test(arguments: ["Zh", "Zm9"])
  func `only lenient reading ignores spare bits`(text: String) {
    #expect(Base64.standard.decode(text) == nil)
    #expect(Base64.url.decode(text) == nil)
    #expect(Base64.decodeLeniently(text) != nil)
  }

  @Test func `the form for URLs has no padding`() {
    #expect(Base64.url.decode("Zg==") == nil)
  }

  @Test func `every length comes back`() {
    let random = SeededRandomSource(seed: 1)
    for count in 0..<100 {
      let bytes = random.bytes(count)
      #expect(Base64.url.decode(Base64.url.encode(bytes)) == bytes)
      #expect(Base64.standard.decode(Base64.standard.encode(bytes, padded: true)) == bytes)
    }
  }
}
