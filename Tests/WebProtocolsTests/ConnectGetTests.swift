import Base
import InteropAPI
import ProtobufRuntime
import RPC
import Testing

@testable import WebProtocols

/// Connect's GET for methods without side effects.
struct ConnectGetTests {
  private func get(_ query: String, _ headers: HeaderList = [:]) async throws -> WebExchange {
    await (try WebFixture()).request("GET", WebFixture.service + "CacheableUnaryCall" + query, headers)
  }

  @Test func readsTheQuery() async throws {
    let call = try await get("?connect=v1&encoding=json&message=%7B%22responseSize%22%3A2%7D")
    #expect(call.status == 200)
    #expect(call.text == #"{"payload":{"body":"Bwc="},"hostname":"unbounded"}"#)
    #expect(call.head.first("content-type") == "application/json")
    #expect(call.head.first("vary") == "accept-encoding")
  }

  @Test func readsProtobufInBase64() async throws {
    var request = SimpleRequest()
    request.responseSize = 3
    let call = try await get(
      "?encoding=proto&base64=1&message=\(Base64.url.encode(request.encoded()))", ["connect-timeout-ms": "3600000"])
    #expect(call.head.first("content-type") == "application/proto")
    let response = try SimpleResponse(decoding: call.body)
    #expect(response.payload?.body == [7, 7, 7])
    #expect(response.hostname == "bounded")
  }

  @Test func readsCompressedMessages() async throws {
    let json = Array(#"{"responseSize": 1}                             "#.utf8)
    let message = Base64.url.encode(try #require(gzip(json)))
    let call = try await get("?encoding=json&base64=1&compression=gzip&message=\(message)")
    #expect(call.text == #"{"payload":{"body":"Bw=="},"hostname":"unbounded"}"#)
    #expect(try await get("?encoding=json&base64=1&compression=zstd&message=\(message)").status == 501)
  }

  @Test func whatIsNoCallIsExplained() async throws {
    let call = try await get("?message=%7B%7D")
    #expect(call.status == 400)
    #expect(call.text == #"{"code":"invalid_argument","message":"the query lacks encoding, which is json or proto"}"#)
    #expect(try await get("").status == 400)
    #expect(try await get("?encoding=json&message=").status == 200)
  }

  @Test func methodsThatMayChangeSomethingWantPOST() async throws {
    let call = await (try WebFixture()).request(
      "GET", WebFixture.service + "UnaryCall?encoding=json&message=%7B%7D")
    #expect(call.status == 405)
    #expect(call.head.first("allow") == "POST")
  }

  @Test func otherPathsAreNoCalls() async throws {
    let fixture = try WebFixture()
    for path in ["/", "/favicon.ico", WebFixture.service + "StreamingOutputCall?encoding=json&message=%7B%7D"] {
      #expect(await fixture.request("GET", path).status == 405)
    }
    #expect(await fixture.request("PUT", WebFixture.service + "UnaryCall").status == 405)
  }
}
