import RPC
import StandardServices
import StandardServicesAPI
import Testing

struct ServiceHealthTests {
  private let health = ServiceHealth(services: ["a.A", "b.B"])

  private var client: HealthClient {
    HealthClient(Fixture { [health] in health.register(in: &$0) }.channel())
  }

  private func request(_ service: String) -> HealthCheckRequest {
    var request = HealthCheckRequest()
    request.service = service
    return request
  }

  @Test func checksTheServerAndItsServices() async throws {
    let client = client
    #expect(try await client.check(request("")).status == .serving)
    #expect(try await client.check(request("a.A")).status == .serving)
    health.set("a.A", .notServing)
    #expect(try await client.check(request("a.A")).status == .notServing)
    #expect(try await client.check(request("b.B")).status == .serving)
  }

  @Test func anUnknownServiceIsNotFound() async {
    let client = client
    #expect(await rpcError { try await client.check(request("c.C")) }?.code == .notFound)
  }

  @Test func watchSendsEachChangeOnce() async throws {
    let call = client.watch(request("a.A"))
    #expect(try await call.responses.next()?.status == .serving)
    health.set("b.B", .notServing)
    health.set("a.A", .notServing)
    #expect(try await call.responses.next()?.status == .notServing)
    health.set("a.A", .serving)
    #expect(try await call.responses.next()?.status == .serving)
    call.cancel()
    #expect(await rpcError { try await call.responses.next() }?.code == .cancelled)
  }

  @Test func watchWaitsForAServiceThatIsNotThereYet() async throws {
    let call = client.watch(request("later.L"))
    #expect(try await call.responses.next()?.status == .serviceUnknown)
    health.set("later.L", .serving)
    #expect(try await call.responses.next()?.status == .serving)
  }

  @Test func stoppingIsForGood() async throws {
    let call = client.watch(request(""))
    #expect(try await call.responses.next()?.status == .serving)
    health.stopServing()
    health.set("", .serving)
    #expect(try await call.responses.next()?.status == .notServing)
    #expect(health.status(of: "b.B") == .notServing)
  }
}
