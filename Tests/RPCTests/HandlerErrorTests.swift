import Base
import ProtobufRuntime
import RPC
import Testing

struct HandlerErrorTests {
  private enum DomainError: RPCErrorConvertible {
    case taken
    var rpcError: RPCError { RPCError(.failedPrecondition, reason: "TAKEN", message: "it is taken") }
  }
  private struct Secret: Error { let sql = "SELECT * FROM users" }
  private struct FullDisk: RPCFault {
    var rpcError: RPCError { RPCError(.unavailable, reason: "FULL", message: "no room") }
    var cause: any Error { Secret() }
  }

  private func failing(_ error: any Error) -> Fixture {
    Fixture { $0.unary(TestMethods.unary) { (_: RawMessage, _) -> RawMessage in throw error } }
  }

  private func call(_ fixture: Fixture, _ request: RawMessage = RawMessage()) async -> RPCError? {
    await rpcError { try await fixture.channel().unary(TestMethods.unary, request, as: RawMessage.self) }
  }

  @Test(arguments: StatusCode.allCases.filter { $0 != .ok })
  func everyCodeReachesTheClient(_ code: StatusCode) async {
    let error = await call(failing(RPCError(code, "why")))
    #expect(error?.code == code)
    #expect(error?.message == "why")
  }

  @Test func aConvertibleErrorBecomesItsStatus() async {
    let error = await call(failing(DomainError.taken))
    #expect(error?.code == .failedPrecondition)
    #expect(error?.reason == "TAKEN")
  }

  @Test func anUnknownErrorBecomesInternalWithAnIdThatTheLogHas() async throws {
    let fixture = failing(Secret())
    let error = await call(fixture)
    #expect(error?.code == .internal)
    let entry = try #require(fixture.log.entries.withLock { $0.first })
    #expect(error?.message == "internal error \(entry.id)")
    #expect(entry.text.contains("SELECT"))
  }

  @Test func whatTheOperatorHasToSeeToIsTheClientsStatusAndTheLogsCause() async throws {
    let fixture = failing(FullDisk())
    let error = try #require(await call(fixture))
    #expect(error.code == .unavailable)
    #expect(error.reason == "FULL")
    #expect(!error.message.contains("SELECT"))
    let faults = fixture.log.faults.withLock { $0 }
    #expect(faults.count == 1)
    #expect(faults.first?.contains("SELECT") == true)
    #expect(fixture.log.entries.withLock { $0 }.isEmpty)
  }

  @Test func aCancelledHandlerIsCancelled() async {
    #expect(await call(failing(CancellationError()))?.code == .cancelled)
  }

  private var picky: Fixture {
    Fixture {
      $0.unary(TestMethods.unary) { (request: PickyMessage, _) in request }
      $0.bidirectional(TestMethods.chat) {
        (requests: RequestReader<PickyMessage>, responses: ResponseWriter<PickyMessage>, _) in
        while let message = try await requests.next() { try await responses.write(message) }
      }
    }
  }

  @Test func anInvalidRequestListsEveryViolation() async throws {
    let error = try #require(await call(picky, RawMessage([0])))
    #expect(error.code == .invalidArgument)
    #expect(
      error.fieldViolations == [
        FieldViolation(field: "value", description: "must not be 0"),
        FieldViolation(field: "other", description: "is missing", reason: "OTHER_MISSING"),
      ])
  }

  @Test func aMalformedRequestIsInvalid() async {
    #expect(await call(picky, RawMessage([0xff]))?.code == .invalidArgument)
  }

  @Test func eachStreamedMessageIsValidated() async throws {
    let fixture = picky
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    try await call.requests.write(RawMessage([1]))
    #expect(try await call.responses.next()?.bytes == [1])
    try await call.requests.write(RawMessage([0]))
    let error = await rpcError { try await call.responses.next() }
    #expect(error?.code == .invalidArgument)
    #expect(error?.fieldViolations.count == 2)
  }
}
