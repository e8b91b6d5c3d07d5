import RPC
import Testing
import WebProtocols

/// Answers that come before the end of the request: many clients do not read one that is followed by a reset.
struct LateBodyTests {
  @Test func theEndOfTheAnswerWaitsForTheRequests() async throws {
    // Not before the request, however long that takes.
    let call = (try WebFixture(limits: WebLimits(lateBodyTime: .seconds(1000)))).open("UnaryCall", "text/plain")
    #expect(await call.body(of: 1).isEmpty == false)
    #expect(call.closure == nil)
    call.write(Array(repeating: 0, count: 1 << 20))
    #expect(!call.hasEnded)
    call.finish()
    await call.end()
    #expect(call.status == 415)
  }

  @Test func butNotForEver() async throws {
    let call = (try WebFixture(limits: WebLimits(lateBodyTime: .milliseconds(1)))).open("UnaryCall", "text/plain")
    await call.end()
    #expect(call.status == 415)
  }

  @Test func norForAnyNumberOfBytes() async throws {
    let fixture = try WebFixture(limits: WebLimits(messageBytes: 10, lateBodyTime: .seconds(1000), lateBodyBytes: 1000))
    let call = fixture.open("UnaryCall", "application/json")
    call.write(Array(repeating: 0x20, count: 11))
    call.write(Array(repeating: 0x20, count: 1000))
    #expect(await call.body(of: 1).isEmpty == false)
    #expect(!call.hasEnded)
    call.write([0x20])
    await call.end()
    #expect(call.status == 429)
  }

  @Test func aDeadlineDoesNotResetTheAnswerToIt() async throws {
    let fixture = try WebFixture(rpcLimits: RPCLimits(closingGrace: .milliseconds(5)))
    let call = await fixture.open("UnaryCall", "application/json", ["connect-timeout-ms": "5"]).end()
    #expect(call.status == 504)
    #expect(call.closure == nil)
  }
}
