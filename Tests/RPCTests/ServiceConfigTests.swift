import Base
import ProtobufRuntime
import RPC
import Testing

struct ServiceConfigTests {
  @Test func theWholeFormIsRead() throws {
    let config = try ServiceConfig(
      json: """
        {
          "loadBalancingConfig": [{"grpclb": {}}, {"round_robin": {}}, {"pick_first": {}}],
          "methodConfig": [
            {
              "name": [{"service": "a.A", "method": "M"}, {"service": "b.B"}],
              "timeout": "1.5s", "waitForReady": true,
              "maxRequestMessageBytes": 100, "maxResponseMessageBytes": "200",
              "retryPolicy": {
                "maxAttempts": 4, "initialBackoff": ".01s", "maxBackoff": "1s", "backoffMultiplier": 1.5,
                "retryableStatusCodes": ["UNAVAILABLE", "resource_exhausted", 10],
                "perAttemptRecvTimeout": "0.25s"
              }
            },
            {
              "name": [{}], "timeout": null,
              "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.5s", "nonFatalStatusCodes": ["INTERNAL"]}
            }
          ],
          "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
          "healthCheckConfig": {"serviceName": "a.A"},
          "somethingOfTheFuture": [1, {"x": 2}]
        }
        """)
    let retry = RetryPolicy(
      maxAttempts: 4, initialBackoff: .milliseconds(10), maxBackoff: .seconds(1), backoffMultiplier: 1.5,
      retryableStatusCodes: [.unavailable, .resourceExhausted, .aborted], perAttemptReceiveTimeout: .milliseconds(250))
    let hedging = HedgingPolicy(maxAttempts: 3, hedgingDelay: .milliseconds(500), nonFatalStatusCodes: [.internal])
    let expected = ServiceConfig(
      methods: [
        ServiceConfig.MethodConfig(
          names: [ServiceConfig.MethodName(service: "a.A", method: "M"), ServiceConfig.MethodName(service: "b.B")],
          timeout: .milliseconds(1500), waitForReady: true, maxRequestMessageBytes: 100, maxResponseMessageBytes: 200,
          attempts: .retry(retry)),
        ServiceConfig.MethodConfig(names: [ServiceConfig.MethodName()], attempts: .hedging(hedging)),
      ],
      loadBalancing: .roundRobin, retryThrottling: RetryThrottling(maxTokens: 10, tokenRatio: 0.1),
      healthCheckService: "a.A")
    #expect(config == expected)
  }

  @Test(
    arguments: [
      ("{}", ServiceConfig.LoadBalancing.pickFirst), (#"{"loadBalancingPolicy": "ROUND_ROBIN"}"#, .roundRobin),
      (#"{"loadBalancingPolicy": "pick_first"}"#, .pickFirst),
      (#"{"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": true}}]}"#, .shuffledPickFirst),
    ])
  func theBalancingPolicy(_ json: String, _ expected: ServiceConfig.LoadBalancing) throws {
    #expect(try ServiceConfig(json: json).loadBalancing == expected)
  }

  @Test(arguments: [
    "", "[]", "{", #"{"methodConfig": {}}"#, #"{"methodConfig": [{"name": [{"method": "M"}]}]}"#,
    #"{"methodConfig": [{"name": [{"service": "a"}, {"service": "a"}]}]}"#,
    #"{"methodConfig": [{"name": [{}], "timeout": "1"}]}"#, #"{"methodConfig": [{"name": [{}], "timeout": "-1s"}]}"#,
    #"{"methodConfig": [{"name": [{}], "waitForReady": "yes"}]}"#,
    #"{"methodConfig": [{"name": [{}], "maxRequestMessageBytes": -1}]}"#,
    #"{"methodConfig": [{"retryPolicy": {"maxAttempts": 1, "initialBackoff": "1s", "maxBackoff": "1s", "#
      + #""backoffMultiplier": 1, "retryableStatusCodes": [14]}}]}"#,
    #"{"methodConfig": [{"retryPolicy": {"maxAttempts": 2, "initialBackoff": "0s", "maxBackoff": "1s", "#
      + #""backoffMultiplier": 1, "retryableStatusCodes": [14]}}]}"#,
    #"{"methodConfig": [{"retryPolicy": {"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "#
      + #""backoffMultiplier": 1, "retryableStatusCodes": []}}]}"#,
    #"{"methodConfig": [{"retryPolicy": {"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "#
      + #""backoffMultiplier": 0, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"#,
    #"{"methodConfig": [{"hedgingPolicy": {"maxAttempts": 2, "nonFatalStatusCodes": ["NO_SUCH"]}}]}"#,
    #"{"methodConfig": [{"retryPolicy": {"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "#
      + #""backoffMultiplier": 1, "perAttemptRecvTimeout": "0s"}}]}"#,
    #"{"methodConfig": [{"hedgingPolicy": {"maxAttempts": 2}, "retryPolicy": {}}]}"#,
    #"{"retryThrottling": {"maxTokens": 0, "tokenRatio": 1}}"#,
    #"{"retryThrottling": {"maxTokens": 1001, "tokenRatio": 1}}"#,
    #"{"retryThrottling": {"maxTokens": 10, "tokenRatio": 0}}"#, #"{"loadBalancingConfig": [{"no_such": {}}]}"#,
    #"{"loadBalancingPolicy": "no_such"}"#, #"{"loadBalancingConfig": [{"round_robin": {}, "pick_first": {}}]}"#,
    #"{"a": 1, "a": 2}"#,
  ])
  func whatIsWrongIsRefused(_ json: String) {
    #expect(throws: ServiceConfigError.self) { try ServiceConfig(json: json) }
  }

  @Test func hugeBackoffsDoNotTrap() async throws {
    let config = try ServiceConfig(
      json: """
        {"methodConfig": [{"name": [{}], "retryPolicy": {
          "maxAttempts": 5, "initialBackoff": "1s", "maxBackoff": "315576000000s", "backoffMultiplier": 1e300,
          "retryableStatusCodes": ["UNAVAILABLE"]}}]}
        """)
    let fixture = ScriptedFixture(config) { _, request in request.fail(.unavailable) }
    let task = Task { await fixture.unary().code }
    await fixture.fire(.seconds(1))
    _ = await fixture.requests(2)
    while fixture.executor.pendingDelays.isEmpty { await fixture.executor.settle() }
    task.cancel()
    #expect(await task.value == .cancelled)
  }

  // MARK: What holds for a method

  private static func timeouts(_ names: [(ServiceConfig.MethodName, Int)]) -> ServiceConfig {
    ServiceConfig(
      methods: names.map { ServiceConfig.MethodConfig(names: [$0.0], timeout: .seconds($0.1)) })
  }

  @Test(arguments: [(3, "3000000u"), (2, "2000000u"), (1, "1000000u")])
  func theMostSpecificEntryHolds(_ entries: Int, _ timeout: String) async {
    let names: [(ServiceConfig.MethodName, Int)] = [
      (ServiceConfig.MethodName(), 1), (ServiceConfig.MethodName(service: "test.Service"), 2),
      (ServiceConfig.MethodName(service: "test.Service", method: "Unary"), 3),
    ]
    let fixture = ScriptedFixture(Self.timeouts(Array(names.prefix(entries)))) { _, request in request.succeed() }
    #expect(await fixture.unary().code == .ok)
    #expect(fixture.server.seen[0].head.headers.first("grpc-timeout") == timeout)
  }

  @Test func theShorterTimeoutHolds() async {
    let fixture = ScriptedFixture(Self.timeouts([(ServiceConfig.MethodName(), 5)])) { _, request in request.succeed() }
    _ = await fixture.unary(options: CallOptions(timeout: .seconds(2)))
    _ = await fixture.unary(options: CallOptions(timeout: .seconds(20)))
    #expect(fixture.server.seen.map { $0.head.headers.first("grpc-timeout") } == ["2000000u", "5000000u"])
  }

  @Test func messagesBeyondTheConfigsLimitsFail() async {
    let method = ServiceConfig.MethodConfig(
      names: [ServiceConfig.MethodName()], maxRequestMessageBytes: 3, maxResponseMessageBytes: 4)
    let fixture = ScriptedFixture(ServiceConfig(methods: [method])) { number, request in
      request.succeed(Array(repeating: 0, count: 4 + number))
    }
    #expect(await fixture.unary([1, 2, 3]).code == .ok)
    #expect(await fixture.unary([1, 2, 3]).code == .resourceExhausted)
    #expect(await fixture.unary([1, 2, 3, 4]).code == .resourceExhausted)
  }
}
