import HTTP2
import ProtobufRuntime
import RPC
import StandardServices
import StandardServicesAPI
import Testing

/// What docs/guides/client-channel.md shows.
@Suite struct GuideTests {
  @Test(.timeLimit(.minutes(60))) func `the example of the client channel`() async throws {
    let method = MethodDescriptor(service: "shop.v1.Orders", name: "GetOrder", kind: .unary)
    var registry = ServiceRegistry()
    registry.unary(method) { (request: RawMessage, _) in request }
    ServiceHealth(services: ["shop.v1.Orders"]).register(in: &registry)
    try await Fixture.run(RPCServer(registry: registry)) { fixture in
      // Time that stands still: the two seconds of the config are no matter of the machine's pace.
      let group = try EventLoopGroup(loops: 1, time: ManualTime())
      let config = try ServiceConfig(
        json: """
          {
            "loadBalancingConfig": [{"round_robin": {}}],
            "healthCheckConfig": {"serviceName": "shop.v1.Orders"},
            "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
            "methodConfig": [{
              "name": [{"service": "shop.v1.Orders"}],
              "timeout": "2s",
              "waitForReady": true,
              "retryPolicy": {
                "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"]
              }
            }]
          }
          """)
      let target = try #require(ClientTarget("ipv4:\(fixture.address)"))
      let transport = HTTP2ClientTransport(target: target, serviceConfig: config, group: group)
      let channel = RPCChannel(transport: transport, authority: transport.authority)
      let order: RawMessage = try await channel.unary(method, RawMessage([1]))
      #expect(order.bytes == [1])
      await transport.shutdown()
      await group.shutdown()
    }
  }
}
