import Base
import RPC
import Testing

@testable import WebProtocols

/// gRPC-Web's text mode on its way in.
struct Base64BodyTests {
  /// What a body in pieces becomes.
  private func decoded(_ pieces: [String]) throws -> [UInt8] {
    var body = Base64Body()
    var result: [UInt8] = []
    for piece in pieces { result += try body.take(Array(piece.utf8).span) }
    return result + (try body.end())
  }

  @Test func readsWhateverTheLengthIsAndHoweverItIsCut() throws {
    for length in 0...9 {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 37 + 200) }
      let text = Base64.standard.encode(bytes, padded: true)
      for cut in 0...text.count {
        #expect(try decoded([String(text.prefix(cut)), String(text.dropFirst(cut))]) == bytes)
      }
      #expect(try decoded(text.map { String($0) }) == bytes)
    }
  }

  @Test func readsSeveralTextsEachWithItsPadding() throws {
    #expect(try decoded(["AQ==Ag", "==", "AwQ=BQYH"]) == [1, 2, 3, 4, 5, 6, 7])
  }

  @Test(arguments: [
    "A", "AA", "AAA", "AQ=", "A===", "====", "=AAA", "AQ=A", "AA A", "AAA\n", "AA-_", "AAA\u{ff}", "AAAAA",
  ])
  func refusesWhatIsNot(_ text: String) {
    #expect(throws: RPCError.self) { try decoded([text]) }
    #expect(throws: RPCError.self) { try decoded(text.map { String($0) }) }
  }
}
