import GreeterAPI
import OctetRPC

@main struct GreeterProgram {
  static func main() async throws {
    let address = CommandLine.arguments.dropFirst().first ?? "127.0.0.1:50051"
    guard let target = ClientTarget(address) else { fatalError("usage: greeter-client [HOST:PORT]") }
    let group = try EventLoopGroup(loops: 1)
    let transport = HTTP2ClientTransport(target: target, group: group)
    let greeter = GreeterClient(RPCChannel(transport: transport, authority: transport.authority))

    print(try await greeter.greet(GreetRequest("Ann")).text)

    let often = greeter.greetOften(GreetRequest("Bob", times: 3))
    while let reply = try await often.responses.next() { print(reply.text) }

    let all = greeter.greetAll()
    for name in ["Ann", "Bob", "Cy"] { try await all.requests.write(GreetRequest(name)) }
    all.requests.finish()
    print(try await all.response().text)

    let each = greeter.greetEach()
    for name in ["Dan", "Eve"] {
      try await each.requests.write(GreetRequest(name))
      print(try await each.responses.next()?.text ?? "nothing")
    }
    each.requests.finish()

    do {
      _ = try await greeter.greet(GreetRequest(), options: CallOptions(timeout: .seconds(1)))
    } catch let error as RPCError {
      print("refused: \(error)")
    }
    await transport.shutdown()
    await group.shutdown()
  }
}

extension GreetRequest {
  init(_ name: String, times: UInt32 = 0) {
    self.init()
    self.name = name
    self.times = times
  }
}
