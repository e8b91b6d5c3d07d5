import RPC
import Testing

/// The choice between the service configs that a domain publishes (gRPC's A2).
struct ServiceConfigChoiceTests {
  private func choice(_ json: String, host: String = "here", percentile: Int = 50) throws -> ServiceConfig? {
    try ServiceConfig.choice(from: json, for: ServiceConfigClient(hostName: host, percentile: percentile))
  }

  private static let robin = #""serviceConfig": {"loadBalancingConfig": [{"round_robin": {}}]}"#
  private static let first = #""serviceConfig": {"loadBalancingConfig": [{"pick_first": {}}]}"#

  @Test(arguments: [
    #"[{\#(robin)}, {\#(first)}]"#,
    #"[{"clientLanguage": ["go", "Swift"], \#(robin)}]"#,
    #"[{"clientLanguage": ["go"], \#(first)}, {"clientHostName": ["there"], \#(first)}, {\#(robin)}]"#,
    #"[{"clientHostName": ["there", "here"], "percentage": 51, \#(robin)}, {\#(first)}]"#,
    #"[{"percentage": 50, \#(first)}, {"percentage": 0, \#(first)}, {"percentage": 100, \#(robin)}]"#,
    #"[{"somethingOfTheFuture": 1, "clientLanguage": null, \#(robin)}]"#,
  ])
  func theFirstThatFitsCounts(_ json: String) throws {
    #expect(try choice(json)?.loadBalancing == .roundRobin)
  }

  @Test(arguments: ["[]", #"[{"clientLanguage": [], \#(first)}]"#, #"[{"percentage": 0, \#(first)}]"#])
  func noneMayFit(_ json: String) throws {
    #expect(try choice(json, percentile: 0) == nil)
  }

  @Test func aPercentageIsForSoManyClients() throws {
    let fits = try (0..<100).filter { try choice(#"[{"percentage": 7, \#(Self.first)}]"#, percentile: $0) != nil }
    #expect(fits == Array(0..<7))
  }

  @Test(arguments: [
    "", "{}", "[1]", "[{}]", #"[{"serviceConfig": []}]"#, #"[{"percentage": 101, \#(first)}]"#,
    #"[{"percentage": "many", \#(first)}]"#, #"[{"clientLanguage": "swift", \#(first)}]"#,
    #"[{"clientHostName": [1], \#(first)}]"#, #"[{"serviceConfig": {"retryThrottling": {}}}]"#,
  ])
  func whatIsWrongIsRefused(_ json: String) {
    #expect(throws: ServiceConfigError.self) { try choice(json) }
  }
}
