internal import RPC

/// A call of any kind in Connect's streaming form: messages behind prefixes, which are gRPC's, and the outcome in a last
/// one.
final class ConnectStreamCall: WebCall {
  /// Set in the first octet of the last message.
  static let endFlag: UInt8 = 0x02

  private let coding: MessageCoding
  /// Cuts the core's answer into messages, if they go out in another form.
  private var deframer = MessageDeframer(limit: .max)

  init(_ acceptor: WebAcceptor, _ stream: any ServerStream, _ coding: MessageCoding, _ grant: CORSGrant?) {
    self.coding = coding
    super.init(acceptor, stream, grant)
  }

  override func respond(status: Int, headers: HeaderList, endStream: Bool) {
    var head: HeaderList = ["content-type": WebProtocol.connectStream(coding.format).contentType]
    if !endStream {
      if let encoding = headers.first("grpc-encoding") { head.append("connect-content-encoding", encoding) }
      head.append(contentsOf: headers, where: ConnectHead.isMetadata)
    }
    grant?.annotate(&head)
    stream.respond(status: 200, headers: head, endStream: false)
    if endStream { finish(trailers: headers) }
  }

  override func write(_ bytes: [UInt8]) {
    guard coding.format != .proto else { return stream.write(bytes) }
    deframer.append(bytes.span)
    do throws(RPCError) {
      while let frame = try deframer.nextFrame() {
        let answer = try coding.response(deframer.buffer[frame.payload], isCompressed: frame.isCompressed)
        stream.write(MessageCoding.frame(answer.message, flags: answer.isCompressed ? 1 : 0))
      }
    } catch {
      fail(error)
    }
  }

  override func finish(trailers: HeaderList?) {
    answered()
    let trailers = trailers ?? HeaderList()
    let error = StatusHeaders.outcome(trailers: trailers, httpStatus: 200)
    let last = ConnectJSON(codec: coding.codec).endOfStream(error, trailers: trailers)
    stream.write(MessageCoding.frame(last[...], flags: Self.endFlag))
    end()
  }
}
