import ProtobufRuntime
import Testing

@testable import RPC

struct StatusTests {
  @Test func hasSeventeenCodes() {
    #expect(StatusCode.allCases.map(\.rawValue) == Array(0...16))
    #expect(Set(StatusCode.allCases.map(\.description)).count == 17)
  }

  @Test func readsUnknownCodesAsUnknown() {
    #expect(StatusCode(headerValue: "5") == .notFound)
    #expect(StatusCode(headerValue: "17") == .unknown)
    #expect(StatusCode(headerValue: "x") == .unknown)
  }

  @Test func mapsHTTPStatuses() {
    let table: [Int: StatusCode] = [
      400: .internal, 401: .unauthenticated, 403: .permissionDenied, 404: .unimplemented, 429: .unavailable,
      502: .unavailable, 503: .unavailable, 504: .unavailable, 500: .unknown, 200: .unknown, 418: .unknown,
    ]
    for (status, code) in table { #expect(StatusCode(httpStatus: status) == code, "\(status)") }
  }

  @Test func mapsResetCodes() {
    #expect(StatusCode(reset: .refusedStream) == .unavailable)
    #expect(StatusCode(reset: .cancel) == .cancelled)
    #expect(StatusCode(reset: .enhanceYourCalm) == .resourceExhausted)
    #expect(StatusCode(reset: .inadequateSecurity) == .permissionDenied)
    #expect(StatusCode(reset: .noError) == .internal)
  }

  @Test(arguments: [
    ("", ""), ("plain", "plain"), ("100%", "100%25"), ("ü\n", "%C3%BC%0A"), ("\t😈", "%09%F0%9F%98%88"),
  ])
  func percentEncodesMessages(_ text: String, _ encoded: String) {
    #expect(PercentEncoding.encode(text) == encoded)
    #expect(PercentEncoding.decode(encoded) == text)
  }

  @Test(arguments: [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("a%41%", "aA%"), ("%ff", "\u{fffd}")])
  func keepsMalformedEscapes(_ encoded: String, _ text: String) {
    #expect(PercentEncoding.decode(encoded) == text)
  }

  @Test func cutsLongMessagesBetweenCharacters() {
    #expect("aüb".truncated(2) == "a")
    #expect("aüb".truncated(3) == "aü")
    #expect("abc".truncated(3) == "abc")
  }

  @Test func outcomeWithoutStatusComesFromHTTP() {
    #expect(StatusHeaders.outcome(trailers: [:], httpStatus: 503)?.code == .unavailable)
    #expect(StatusHeaders.outcome(trailers: [:], httpStatus: 200)?.code == .unknown)
    #expect(StatusHeaders.outcome(trailers: ["grpc-status": "0"], httpStatus: 200) == nil)
  }
}
