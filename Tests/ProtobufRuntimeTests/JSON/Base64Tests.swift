import ProtobufRuntime
import Testing

@Suite struct Base64Tests {
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func agreesWithTheTestVectorsOfRFC4648(_ plain: String, _ encoded: String) {
    #expect(Base64.encode(Array(plain.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(plain.utf8))
    #expect(Base64.decode(String(encoded.prefix { $0 != "=" })) == Array(plain.utf8))
  }

  @Test(arguments: ["A", "AAAAA", "A===", "Zg=", "Z g=", "Zg==Zg==", "é"])
  func refusesWhatIsNotBase64(_ text: String) {
    #expect(Base64.decode(text) == nil)
  }
}
