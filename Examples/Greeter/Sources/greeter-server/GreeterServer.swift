import Glibc
import GreeterAPI
import OctetRPC

struct Friendly: Greeter {
  func greet(_ request: GreetRequest, context: ServerContext) async throws -> GreetReply {
    guard !request.name.isEmpty else { throw RPCError(.invalidArgument, "whom?") }
    return GreetReply("Hello, \(request.name)!")
  }

  func greetOften(
    _ request: GreetRequest, responses: ResponseWriter<GreetReply>, context: ServerContext
  ) async throws {
    for time in 0..<request.times { try await responses.write(GreetReply("Hello, \(request.name), \(time + 1)!")) }
  }

  func greetAll(_ requests: RequestReader<GreetRequest>, context: ServerContext) async throws -> GreetReply {
    var names: [String] = []
    while let request = try await requests.next() { names.append(request.name) }
    return GreetReply("Hello, \(names.joined(separator: ", "))!")
  }

  func greetEach(
    _ requests: RequestReader<GreetRequest>, responses: ResponseWriter<GreetReply>, context: ServerContext
  ) async throws {
    while let request = try await requests.next() { try await responses.write(GreetReply("Hello, \(request.name)!")) }
  }
}

extension GreetReply {
  init(_ text: String) {
    self.init()
    self.text = text
  }
}

@main struct GreeterServer {
  static func main() {
    Signals.run { signals in
      var registry = ServiceRegistry()
      Friendly().register(in: &registry)
      let group = try EventLoopGroup()
      let address = CommandLine.arguments.dropFirst().first ?? "127.0.0.1:50051"
      guard let listen = ListenAddress.cleartext(address) else { fatalError("usage: greeter-server [ADDR:PORT]") }
      let server = try HTTP2Server(acceptor: RPCServer(registry: registry), listen: [listen], group: group)
      try await server.start()
      print("ready listen=\(server.boundAddresses[0].address)")
      fflush(nil)
      for await _ in signals { break }
      await server.drain(within: .seconds(5))
      await group.shutdown()
    }
  }
}
