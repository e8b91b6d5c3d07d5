import Base
import Compression
import ProtobufRuntime
import RPC
import Testing

/// What a caller gets from servers that are no gRPC servers, or bad ones.
struct ClientOutcomeTests {
  /// Answers every request in the same way.
  private struct Answer: RequestAcceptor {
    let answer: @Sendable (any ServerStream) -> Void
    func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
      answer(stream)
      return Ignoring()
    }
  }

  private final class Ignoring: ServerStreamHandler {
    func receive(_ bytes: Span<UInt8>) {}
    func receiveEnd() {}
    func drained() {}
    func closed(_ reason: StreamClosure?) {}
  }

  private func outcome(
    options: CallOptions = CallOptions(), _ answer: @escaping @Sendable (any ServerStream) -> Void
  ) async -> RPCError? {
    let transport = InProcessTransport(acceptor: Answer(answer: answer))
    let channel = RPCChannel(transport: transport, authority: "test")
    return await rpcError {
      try await channel.unary(TestMethods.unary, RawMessage([1]), as: RawMessage.self, options: options)
    }
  }

  private static let grpc: HeaderList = ["content-type": "application/grpc"]

  @Test(arguments: [
    (503, StatusCode.unavailable), (429, .unavailable), (404, .unimplemented), (401, .unauthenticated),
    (403, .permissionDenied), (400, .internal), (500, .unknown),
  ])
  func aPlainHTTPErrorBecomesItsCode(_ status: Int, _ code: StatusCode) async {
    let error = await outcome { stream in
      stream.respond(status: status, headers: ["content-type": "text/html"], endStream: false)
      stream.write(Array("<html>".utf8))
      stream.finish(trailers: nil)
    }
    #expect(error?.code == code)
  }

  @Test func aBodyThatIsNotGRPCIsUnknown() async {
    let error = await outcome { stream in
      stream.respond(status: 200, headers: ["content-type": "text/html"], endStream: false)
      stream.write(Array("<html>".utf8))
      stream.finish(trailers: nil)
    }
    #expect(error?.code == .unknown)
  }

  @Test func missingTrailersAreUnknown() async {
    let error = await outcome { stream in
      stream.respond(status: 200, headers: Self.grpc, endStream: false)
      stream.write(EncodedMessage(RawMessage([1])).bytes)
      stream.finish(trailers: nil)
    }
    #expect(error?.code == .unknown)
  }

  @Test func aStatusWithoutAMessageIsUnimplemented() async {
    let error = await outcome { stream in
      stream.respond(status: 200, headers: Self.grpc, endStream: false)
      stream.finish(trailers: ["grpc-status": "0"])
    }
    #expect(error?.code == .unimplemented)
  }

  @Test func twoMessagesAreUnimplemented() async {
    let error = await outcome { stream in
      stream.respond(status: 200, headers: Self.grpc, endStream: false)
      for _ in 0..<2 { stream.write(EncodedMessage(RawMessage([1])).bytes) }
      stream.finish(trailers: ["grpc-status": "0"])
    }
    #expect(error?.code == .unimplemented)
  }

  @Test func aMessageBeyondTheLimitIsResourceExhausted() async {
    let error = await outcome(options: CallOptions(messageBytes: 10)) { stream in
      stream.respond(status: 200, headers: Self.grpc, endStream: false)
      stream.write(EncodedMessage(RawMessage(Array(repeating: 0, count: 11))).bytes)
      stream.finish(trailers: ["grpc-status": "0"])
    }
    #expect(error?.code == .resourceExhausted)
  }

  @Test(arguments: [
    (nil, StatusCode.internal), ("identity", .internal), ("br", .internal), ("gzip", .resourceExhausted),
  ])
  func aBadlyCompressedAnswerEndsTheCall(_ encoding: String?, _ code: StatusCode) async throws {
    let bytes = [UInt8](repeating: 0, count: 5000)
    let compressed = Gzip.compress(bytes.span)
    var message = EncodedMessage(RawMessage(try #require(compressed))).bytes
    message[0] = 1
    let error = await outcome(options: CallOptions(messageBytes: 4999)) { [message] stream in
      var head = Self.grpc
      if let encoding { head.append("grpc-encoding", encoding) }
      stream.respond(status: 200, headers: head, endStream: false)
      stream.write(message)
      stream.finish(trailers: ["grpc-status": "0"])
    }
    #expect(error?.code == code)
  }

  @Test func anUnknownCodeIsUnknown() async {
    let error = await outcome { $0.respond(status: 200, headers: ["grpc-status": "99"], endStream: true) }
    #expect(error?.code == .unknown)
  }

  @Test(arguments: [
    (ResetCode.refusedStream, StatusCode.unavailable), (.cancel, .cancelled), (.enhanceYourCalm, .resourceExhausted),
    (.inadequateSecurity, .permissionDenied), (.protocolError, .internal),
  ])
  func aResetBecomesItsCode(_ reset: ResetCode, _ code: StatusCode) async {
    #expect(await outcome { $0.reset(reset) }?.code == code)
  }
}
