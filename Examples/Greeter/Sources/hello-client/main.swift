import HelloAPI
import OctetRPC

let address = CommandLine.arguments.dropFirst().first ?? "127.0.0.1:50051"
let group = try EventLoopGroup(loops: 1)
let transport = HTTP2ClientTransport(target: ClientTarget(address)!, group: group)
let hello = HelloClient(RPCChannel(transport: transport, authority: transport.authority))

var request = HelloRequest()
request.name = "Ann"
let reply = try await hello.sayHello(request, options: CallOptions(timeout: .seconds(10), waitForReady: true))
print(reply.text)

await transport.shutdown()
await group.shutdown()
