import RPC
import Testing

@testable import WebProtocols

struct CORSTests {
  private let console = CORSPolicy(
    origins: .only(["https://console.test"]), headers: .only(["x-tenant"]), maxAge: .seconds(60))

  private func preflight(
    _ policy: CORSPolicy?, _ origin: String = "https://console.test", method: String = "POST", headers: String? = nil
  ) async throws -> WebExchange {
    var fields: HeaderList = ["origin": origin, "access-control-request-method": method]
    if let headers { fields.append("access-control-request-headers", headers) }
    return await (try WebFixture(cors: policy)).request("OPTIONS", WebFixture.service + "UnaryCall", fields)
  }

  @Test func aPreflightOfAnAllowedOriginPasses() async throws {
    let answer = try await preflight(console, headers: "content-type, X-Tenant,connect-protocol-version")
    #expect(answer.status == 204)
    #expect(answer.body.isEmpty)
    #expect(answer.head.first("access-control-allow-origin") == "https://console.test")
    #expect(answer.head.first("access-control-allow-methods") == "GET, POST")
    #expect(answer.head.first("access-control-allow-headers") == "content-type, x-tenant, connect-protocol-version")
    #expect(answer.head.first("access-control-max-age") == "60")
    #expect(answer.head.first("vary")?.hasPrefix("origin") == true)
    #expect(answer.head.first("access-control-allow-credentials") == nil)
  }

  @Test func aPreflightOfAnotherOriginMethodOrHeaderIsRefused() async throws {
    for answer in [
      try await preflight(console, "https://evil.test"), try await preflight(console, "http://console.test"),
      try await preflight(console, "null"), try await preflight(console, method: "DELETE"),
      try await preflight(console, headers: "x-other"),
    ] {
      #expect(answer.status == 403)
      #expect(answer.head.first("access-control-allow-origin") == nil)
      #expect(!answer.body.isEmpty)
    }
  }

  @Test func anyOriginAndAnyHeader() async throws {
    let answer = try await preflight(
      CORSPolicy(origins: .any, headers: .any), "null", method: "GET", headers: "x-a,x-b")
    #expect(answer.status == 204)
    #expect(answer.head.first("access-control-allow-origin") == "*")
    #expect(answer.head.first("access-control-allow-headers") == "x-a, x-b")
    #expect(answer.head.first("access-control-max-age") == "7200")
  }

  @Test func withoutAPolicyThereIsNoCORS() async throws {
    #expect(try await preflight(nil).status == 405)
    let answer = await (try WebFixture()).json("EmptyCall", "{}", ["origin": "https://console.test"])
    #expect(answer.status == 200)
    #expect(answer.head.first("access-control-allow-origin") == nil)
    #expect(answer.head.first("vary") == nil)
  }

  @Test func answersExposeAllTheirHeaders() async throws {
    let fixture = try WebFixture(cors: console)
    let answer = await fixture.json("UnaryCall", "{}", ["origin": "https://console.test"])
    #expect(answer.head.first("access-control-allow-origin") == "https://console.test")
    #expect(
      answer.head.first("access-control-expose-headers")
        == "content-type, content-length, x-initial, trailer-x-trailing-bin, vary")
    #expect(answer.head.first("vary") == "origin")
  }

  @Test func failuresCanBeReadToo() async throws {
    let fixture = try WebFixture(cors: CORSPolicy(origins: .any))
    let origin: HeaderList = ["origin": "https://any.test"]
    let answers = [
      await fixture.json("UnaryCall", "{", origin), await fixture.json("Nothing", "{}", origin),
      await fixture.post("UnaryCall", "text/plain", [], origin),
      await fixture.post("UnaryCall", "application/grpc-web", [], origin),
      await fixture.post("StreamingOutputCall", "application/connect+json", [], origin),
      await fixture.request("GET", WebFixture.service + "UnaryCall", origin),
      await fixture.request("GET", WebFixture.service + "CacheableUnaryCall", origin),
    ]
    for answer in answers {
      #expect(answer.head.first("access-control-allow-origin") == "*")
      #expect(answer.head.first("access-control-expose-headers")?.isEmpty == false)
    }
  }

  @Test func anotherOriginIsServedWithoutLeave() async throws {
    let answer = await (try WebFixture(cors: console)).json("EmptyCall", "{}", ["origin": "https://evil.test"])
    #expect(answer.status == 200)
    #expect(answer.head.first("access-control-allow-origin") == nil)
    #expect(answer.head.first("vary") == "origin")
  }

  @Test(arguments: ["https://a.test", "http://localhost:3000", "http://[::1]:80"])
  func knowsOrigins(_ text: String) {
    #expect(CORSPolicy.isOrigin(text))
  }

  @Test(arguments: [
    "*", "null", "a.test", "https://", "https://a.test/", "https://A.test", "https://a.test,b", "ftp://a",
  ])
  func knowsWhatIsNone(_ text: String) {
    #expect(!CORSPolicy.isOrigin(text))
  }
}
