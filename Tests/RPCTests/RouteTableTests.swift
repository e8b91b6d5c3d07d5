import Testing

@testable import RPC

struct RouteTableTests {
  private func table(_ methods: [MethodDescriptor]) -> RouteTable {
    RouteTable(
      methods.enumerated().map { ServiceRegistry.Route($1, .streamed { _ in nil }, number: $0) })
  }

  @Test func findsWhatIsInItAndNothingElse() {
    // Many that differ in one place only: in the service, in the name, in the length.
    var methods: [MethodDescriptor] = []
    for service in 0..<40 {
      for name in ["Get", "GetAll", "List", "WatchEverythingThatHappensHere"] {
        methods.append(MethodDescriptor(service: "octet.test\(service).v1.Service", name: name, kind: .bidirectional))
      }
    }
    methods.append(MethodDescriptor(service: "a", name: "b", kind: .bidirectional))
    let table = table(methods)
    for (number, method) in methods.enumerated() { #expect(table[method.path]?.number == number) }
    for path in [
      "", "/", "/a/", "/a/c", "/octet.test40.v1.Service/Get", "/octet.test0.v1.Service/Gat", "/a/b\u{0}", "/a/bb",
    ] {
      #expect(table[path] == nil)
    }
  }

  @Test func anEmptyOneFindsNothing() {
    #expect(table([])["/a/b"] == nil)
  }
}
