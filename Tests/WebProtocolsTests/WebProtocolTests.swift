import RPC
import Testing

@testable import WebProtocols

struct WebProtocolTests {
  @Test(arguments: [
    ("application/grpc-web", WebProtocol.grpcWeb(isText: false)),
    ("application/grpc-web+proto", .grpcWeb(isText: false)),
    ("application/grpc-web-text", .grpcWeb(isText: true)),
    ("application/grpc-web-text+proto", .grpcWeb(isText: true)),
    ("Application/JSON", .connectUnary(.json)), ("application/json; charset=UTF-8", .connectUnary(.json)),
    ("application/json;charset=\"utf-8\"", .connectUnary(.json)), ("application/proto", .connectUnary(.proto)),
    ("application/connect+json", .connectStream(.json)), ("application/connect+proto", .connectStream(.proto)),
  ])
  func knowsItsContentTypes(_ text: String, _ expected: WebProtocol) {
    #expect(WebProtocol(contentType: text) == expected)
  }

  @Test(arguments: [
    "", ";", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/grpc",
    "application/grpc-web+json", "application/connect", "application/json; charset=latin1",
    "application/grpc-web-texts",
  ])
  func knowsNoOthers(_ text: String) {
    #expect(WebProtocol(contentType: text) == nil)
  }

  @Test(arguments: [
    ("application/grpc", true), ("application/grpc+proto", true), ("application/grpc;charset=utf-8", true),
    ("application/grpc-web", false), ("application/grp", false), ("application/json", false), ("", false),
  ])
  func leavesGRPCAlone(_ text: String, _ isGRPC: Bool) {
    #expect(WebProtocol.isGRPC(["te": "trailers", "content-type": text]) == isGRPC)
    #expect(!WebProtocol.isGRPC(["te": text]))
  }

  @Test func aStatusHasItsNameAndItsHTTPStatus() {
    let table = StatusCode.allCases.map { "\($0.connectName) \($0.connectHTTPStatus)" }
    #expect(
      table == [
        "ok 200", "canceled 499", "unknown 500", "invalid_argument 400", "deadline_exceeded 504", "not_found 404",
        "already_exists 409", "permission_denied 403", "resource_exhausted 429", "failed_precondition 400",
        "aborted 409", "out_of_range 400", "unimplemented 501", "internal 500", "unavailable 503", "data_loss 500",
        "unauthenticated 401",
      ])
  }
}
