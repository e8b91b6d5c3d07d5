import GoogleRPC
import ProtobufRuntime
import Testing

@testable import RPC

struct ErrorDetailTests {
  @Test func detailsSurviveTheTrailers() throws {
    let sent = RPCError(
      .failedPrecondition, reason: "QUOTE_EXPIRED", message: "too late: 5 %", metadata: ["quote": "q"]
    )
    .retryAfter(.milliseconds(1500))
    .violations([FieldViolation(field: "a.b[1]", description: "too long", reason: "LONG")])
    let received = try #require(StatusHeaders.outcome(trailers: StatusHeaders.failure(sent), httpStatus: 200))
    #expect(received.code == .failedPrecondition)
    #expect(received.message == "too late: 5 %")
    #expect(received.reason == "QUOTE_EXPIRED")
    #expect(received.detail(ErrorInfo.self)?.domain == "octet")
    #expect(received.detail(ErrorInfo.self)?.metadata == ["quote": "q"])
    #expect(received.retryDelay == .milliseconds(1500))
    #expect(received.fieldViolations == [FieldViolation(field: "a.b[1]", description: "too long", reason: "LONG")])
    #expect(received.details == sent.details)
  }

  @Test func anErrorWithoutDetailsSendsNone() {
    #expect(StatusHeaders.failure(RPCError(.notFound, "x")).first("grpc-status-details-bin") == nil)
  }

  @Test func detailsBeyondTheLimitAreLeftOut() {
    let long = RPCError(.internal, reason: String(repeating: "R", count: RPCLimits.statusDetailsBytes), message: "m")
    let trailers = StatusHeaders.failure(long)
    #expect(trailers.first("grpc-status-details-bin") == nil)
    #expect(trailers.first("grpc-message") == "m")
  }

  @Test func manyViolationsAreCutToWhatTrailersCarry() throws {
    let violations = (0..<500).map { FieldViolation(field: "items[\($0)].name", description: "must not be empty") }
    let error = RPCError(.invalidArgument, reason: "INVALID_REQUEST", message: "m").violations(violations)
    let received = try #require(StatusHeaders.outcome(trailers: StatusHeaders.failure(error), httpStatus: 200))
    #expect(received.reason == "INVALID_REQUEST")
    #expect(received.fieldViolations.count > 50)
    #expect(received.fieldViolations == Array(violations.prefix(received.fieldViolations.count)))
  }

  @Test(arguments: ["!!!", "////", ""])
  func malformedDetailsAreIgnored(_ details: String) {
    let trailers: HeaderList = ["grpc-status": "5", "grpc-status-details-bin": details]
    let error = StatusHeaders.outcome(trailers: trailers, httpStatus: 200)
    #expect(error?.code == .notFound)
    #expect(error?.details == [])
  }

  @Test func unpacksOnlyTheRightType() {
    let detail = ErrorDetail(RetryInfo())
    #expect(detail.typeURL == "type.googleapis.com/google.rpc.RetryInfo")
    #expect(detail.unpack(RetryInfo.self) != nil)
    #expect(detail.unpack(ErrorInfo.self) == nil)
  }
}
