import Base
import Blobs
import Cryptography
import Testing

@testable import BlobsS3

/// The examples of AWS's description of Signature Version 4 for S3.
@Suite struct SignatureV4Tests {
  struct Example: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let method: String
    let path: String
    var query: [(String, String)] = []
    var headers: [(String, String)] = []
    var body = ""
    let signature: String
  }

  private static let examples = [
    Example(
      testDescription: "GET object", method: "GET", path: "/test.txt", headers: [("range", "bytes=0-9")],
      signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    Example(
      testDescription: "PUT object", method: "PUT", path: "/test$file.text",
      headers: [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
      body: "Welcome to Amazon S3.", signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    Example(
      testDescription: "GET bucket lifecycle", method: "GET", path: "/", query: [("lifecycle", "")],
      signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    Example(
      testDescription: "GET bucket", method: "GET", path: "/", query: [("prefix", "J"), ("max-keys", "2")],
      signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
  ]

  @Test(arguments: examples) func `signs as published`(_ example: Example) throws {
    let signer = SignatureV4(
      accessKey: "AKIAIOSFODNN7EXAMPLE", secret: SecretKey(Array("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".utf8)),
      region: "us-east-1")
    let headers = signer.sign(
      example.method, path: example.path, query: example.query,
      headers: example.headers + [("host", "examplebucket.s3.amazonaws.com")],
      bodyHash: HexText.text(Hash.sha256(Array(example.body.utf8))), at: Instant(seconds: 1_369_353_600))
    let value = try #require(headers.first { $0.0 == "authorization" }?.1)
    #expect(value.hasPrefix("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"))
    #expect(value.hasSuffix(",Signature=\(example.signature)"))
  }

  @Test func `texts of documents are decoded`() {
    let document = S3Document(Array("<A><K>a &amp;&lt;&#65;&#x42;&nope; &</K></A><A><K/></A><A><K>2".utf8))
    #expect(document.elements("A").map { $0.first("K") } == ["a &<AB&nope; &", nil])
    #expect(document.first("Z") == nil)
    #expect(S3Document.encoded("\"<&>") == "\"&lt;&amp;&gt;")
  }
}
