import HelloAPI
import OctetRPC

struct Friendly: Hello {
  func sayHello(_ request: HelloRequest, context: ServerContext) async throws -> HelloReply {
    var reply = HelloReply()
    reply.text = "Hello, \(request.name)!"
    return reply
  }
}

Signals.run { signals in
  let address = CommandLine.arguments.dropFirst().first ?? "127.0.0.1:50051"
  var registry = ServiceRegistry()
  Friendly().register(in: &registry)
  let group = try EventLoopGroup()
  let server = try HTTP2Server(acceptor: RPCServer(registry: registry), listen: [.cleartext(address)!], group: group)
  try await server.start()
  for await _ in signals { return await server.drain(within: .seconds(5)) }
}
