public import BenchAPI
public import RPC

/// `bench.v1.Bench`: the four kinds of method with next to nothing to do.
public struct BenchService: Bench, BenchMethods.SynchronousEcho {
  public init() {}

  public func echo(_ request: EchoRequest, context: ServerContext) -> EchoReply {
    var reply = EchoReply()
    reply.payload = request.payload
    reply.tag = request.tag
    return reply
  }

  public func download(_ request: StreamRequest, responses: ResponseWriter<Chunk>, context: ServerContext) async throws
  {
    for sequence in 0..<request.count {
      var chunk = Chunk()
      chunk.seq = sequence
      chunk.payload = Array(repeating: UInt8(ascii: "x"), count: Int(request.size))
      try await responses.write(chunk)
    }
  }

  public func upload(_ requests: RequestReader<Chunk>, context: ServerContext) async throws -> Chunk {
    var count: UInt32 = 0
    var total = 0
    while let chunk = try await requests.next() {
      count += 1
      total += chunk.payload.count
    }
    var reply = Chunk()
    reply.seq = count
    reply.payload = Array(String(total).utf8)
    return reply
  }

  public func chat(_ requests: RequestReader<Chunk>, responses: ResponseWriter<Chunk>, context: ServerContext)
    async throws
  {
    while let chunk = try await requests.next() { try await responses.write(chunk) }
  }
}

/// `bench.v1.Broadcast`: a publisher with very many readers.
public struct BroadcastService: Broadcast {
  private let fanOut = FanOut()

  public init() {}

  public func subscribe(
    _ request: SubscribeRequest, responses: ResponseWriter<Chunk>, context: ServerContext
  ) async throws {
    fanOut.add(responses.sink)
    context.sendInitialMetadata()
    await context.waitUntilCancelled()
  }

  public func publish(_ requests: RequestReader<Chunk>, context: ServerContext) async throws -> Chunk {
    var reply = Chunk()
    while let chunk = try await requests.next() {
      fanOut.publish(EncodedMessage(chunk))
      reply.seq += 1
    }
    return reply
  }
}
