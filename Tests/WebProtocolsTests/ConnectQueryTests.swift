import Base
import RPC
import Testing

@testable import WebProtocols

struct ConnectQueryTests {
  private func query(_ text: String) throws(RPCError) -> ConnectQuery { try ConnectQuery(text[...]) }

  @Test func readsJSON() throws {
    let query = try query("encoding=json&message=%7b%22a%22:%22%C3%A9+x%2By%22}&connect=v1&other=1&flag&=")
    #expect(query.format == .json)
    #expect(String(decoding: query.message, as: UTF8.self) == "{\"a\":\"é x+y\"}")
    #expect(query.encodingName == nil)
  }

  @Test(arguments: ["_-8", "_-8=", "_-8%3d", "/%2b8", "%2F%2b8="])
  func readsBase64InEitherAlphabet(_ text: String) throws {
    let query = try query("message=\(text)&encoding=proto&base64=1&compression=gzip")
    #expect(query.format == .proto)
    #expect(query.message == [0xff, 0xef])
    #expect(query.encodingName == "gzip")
  }

  @Test func readsBytesThatAreNoText() throws {
    #expect(try query("encoding=proto&message=%08%ff%00").message == [8, 0xff, 0])
  }

  @Test func theFirstOfTwoCounts() throws {
    #expect(try query("encoding=json&message=1&message=2").message == Array("1".utf8))
  }

  @Test(arguments: [
    ("", "the query lacks encoding, which is json or proto"), ("encoding=json", "the query lacks message"),
    ("message=1", "the query lacks encoding, which is json or proto"),
    ("message=1&encoding=xml", "encoding must be json or proto, not \"xml\""),
    ("message=1&encoding=json&connect=v2", "connect must be v1, not \"v2\""),
    ("message=1&encoding=json&base64=yes", "base64 must be 1, not \"yes\""),
    ("message=1!&encoding=json&base64=1", "message is not valid base 64"),
    ("message=%4&encoding=json", "the query has a % that no two hexadecimal digits follow"),
    ("message=%zz&encoding=json", "the query has a % that no two hexadecimal digits follow"),
    ("message=%&encoding=json", "the query has a % that no two hexadecimal digits follow"),
  ])
  func refusesWhatIsNoCall(_ text: String, _ message: String) throws {
    let error = #expect(throws: RPCError.self) { try query(text) }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message == message)
  }
}
