public import ProtobufRuntime
public import RPC
internal import Synchronization

/// Lets browsers and plain HTTP clients call the services of an RPC server, at the same addresses as gRPC's clients:
/// gRPC-Web, the Connect protocol, and with that JSON from curl.
///
/// ```swift
/// let acceptor = WebAcceptor(server, pool: pool, cors: CORSPolicy(origins: .only(["https://console.example.com"])))
/// // HTTP2Server(acceptor: acceptor, …)
/// ```
///
/// It stands between the transport and the core, and translates what comes in another protocol into gRPC; a request of
/// gRPC itself costs a look at its content type. Follows gRPC's PROTOCOL-WEB.md and
/// https://connectrpc.com/docs/protocol.
public final class WebAcceptor: RequestAcceptor {
  let core: any RequestAcceptor
  let codec: JSONCodec
  let cors: CORSPolicy?
  let limits: WebLimits
  private let methods: [String: WebMethod]
  /// Bytes that all calls hold of unfinished messages.
  let gathered = Atomic(0)

  /// - Parameters:
  ///   - core: what answers the calls.
  ///   - pool: the descriptors of its services, and of the details that errors have; without them there is no JSON.
  ///   - cors: which scripts of other origins may call; nil for none.
  public init(
    _ core: any RequestAcceptor, pool: DescriptorPool, cors: CORSPolicy? = nil, limits: WebLimits = WebLimits()
  ) {
    self.core = core
    self.cors = cors
    self.limits = limits
    codec = JSONCodec(pool, valueLimit: limits.jsonValues)
    methods = WebMethod.table(pool)
  }

  public func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
    if head.isKnownGRPC || WebProtocol.isGRPC(head.headers) { return core.accept(head, on: stream) }
    let grant = cors?.grant(head.headers)
    switch head.method {
    case "POST": return post(head, stream, grant)
    case "GET": return get(head, stream, grant)
    case "OPTIONS":
      if let cors, let answer = cors.preflight(head) {
        return RefusedRequest(stream, httpStatus: answer.status, answer.body, headers: answer.headers)
      }
      return core.accept(head, on: stream)
    default: return core.accept(head, on: stream)
    }
  }

  private func post(
    _ head: RequestHead, _ stream: any ServerStream, _ grant: CORSGrant?
  ) -> any ServerStreamHandler {
    let path = head.path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)[0]
    let method = methods[String(path)]
    guard let type = head.headers.first("content-type").flatMap(WebProtocol.init(contentType:)) else {
      return unsupported(head, method, stream, grant)
    }
    switch type {
    case .grpcWeb(let isTextRequest):
      let isText = GRPCWebCall.wantsText(head.headers, isTextRequest: isTextRequest)
      let call = GRPCWebCall(self, stream, isText: isText, grant)
      var headers: HeaderList = ["content-type": "application/grpc"]
      headers.append(contentsOf: head.headers) { $0 != "content-type" && $0 != "content-length" }
      let translated = RequestHead(
        method: head.method, path: String(path), scheme: head.scheme, authority: head.authority, headers: headers)
      call.begin(translated, isTextRequest ? Base64Body() : nil)
      return call
    case .connectUnary(let format):
      guard method?.isUnary != false else { return unsupported(head, method, stream, grant) }
      let coding = coding(format, method, stream)
      let call = ConnectUnaryCall(self, stream, coding, isGet: false, grant)
      begin(call, ConnectHead(head, path: path, .unary), coding) { WholeBody($0) }
      return call
    case .connectStream(let format):
      guard method?.isUnary != true else { return unsupported(head, method, stream, grant) }
      let coding = coding(format, method, stream)
      let call = ConnectStreamCall(self, stream, coding, grant)
      // gRPC's frames are Connect's.
      begin(call, ConnectHead(head, path: path, .stream), coding) { format == .json ? EnvelopedBody($0) : nil }
      return call
    }
  }

  private func get(_ head: RequestHead, _ stream: any ServerStream, _ grant: CORSGrant?) -> any ServerStreamHandler {
    let parts = head.path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let method = methods[String(parts[0])], method.isUnary else { return core.accept(head, on: stream) }
    guard method.isSideEffectFree else {
      let text = "the method may change something: use POST\n"
      return PlainAnswer(self, stream, status: 405, text, ["allow": "POST"], grant)
    }
    do throws(RPCError) {
      let query = try ConnectQuery(parts.count == 2 ? parts[1] : "")
      let coding = coding(query.format, method, stream)
      let call = ConnectUnaryCall(self, stream, coding, isGet: true, grant)
      let connect = ConnectHead(head, path: parts[0], .unary, encodingName: query.encodingName ?? "")
      begin(call, connect, coding) { WholeBody($0, message: query.message) }
      return call
    } catch {
      let call = ConnectUnaryCall(self, stream, coding(.json, method, stream), isGet: true, grant)
      call.refuse(error)
      return call
    }
  }

  private func coding(
    _ format: MessageFormat, _ method: WebMethod?, _ stream: any ServerStream
  ) -> MessageCoding {
    MessageCoding(
      format: format, codec: codec, limits: limits, method: method, turns: stream.executor.inflating)
  }

  /// Brings a Connect request to the core, or refuses it.
  private func begin(
    _ call: WebCall, _ head: ConnectHead, _ coding: MessageCoding,
    _ body: (MessageCoding) -> (any RequestTranslator)?
  ) {
    do throws(RPCError) {
      var coding = coding
      coding.requestEncoding = try head.encoding()
      call.begin(try head.grpc(coding), body(coding))
    } catch {
      call.refuse(error)
    }
  }

  /// The content type is not one that the method can have.
  private func unsupported(
    _ head: RequestHead, _ method: WebMethod?, _ stream: any ServerStream, _ grant: CORSGrant?
  ) -> any ServerStreamHandler {
    let accepted = WebProtocol.accepted(by: method)
    let text = "content-type must be one of: \(accepted)\n"
    return PlainAnswer(self, stream, status: 415, text, ["accept-post": accepted], grant)
  }
}
