internal import Base
internal import RPC

/// A call in gRPC-Web (gRPC's PROTOCOL-WEB.md): the frames of gRPC, and the trailers as a last frame of the body.
final class GRPCWebCall: WebCall {
  /// Set in the first octet of the frame that holds the trailers.
  static let trailersFlag: UInt8 = 0x80

  /// Whether the answer is in base 64.
  private let isText: Bool

  /// - Parameter isText: whether the answer goes out in base 64.
  init(_ acceptor: WebAcceptor, _ stream: any ServerStream, isText: Bool, _ grant: CORSGrant?) {
    self.isText = isText
    super.init(acceptor, stream, grant)
  }

  override func respond(status: Int, headers: HeaderList, endStream: Bool) {
    var head: HeaderList = ["content-type": WebProtocol.grpcWeb(isText: isText).contentType]
    // An answer of trailers only has them in a frame as well: scripts can always read a body, but not all headers.
    if !endStream { head.append(contentsOf: headers, where: { $0 != "content-type" }) }
    grant?.annotate(&head)
    stream.respond(status: status, headers: head, endStream: false)
    if endStream { finish(trailers: headers) }
  }

  override func write(_ bytes: [UInt8]) {
    stream.write(isText ? Array(Base64.standard.encode(bytes, padded: true).utf8) : bytes)
  }

  override func finish(trailers: HeaderList?) {
    answered()
    write(Self.frame(trailers ?? HeaderList()))
    end()
  }

  /// The frame of these trailers: lines as HTTP/1 has them.
  static func frame(_ trailers: HeaderList) -> [UInt8] {
    var lines: [UInt8] = []
    lines.reserveCapacity(trailers.octets.count)
    for field in trailers where !trailers.matches(field, "content-type") {
      lines.append(contentsOf: trailers.octets[field.name])
      lines.append(contentsOf: ": ".utf8)
      lines.append(contentsOf: trailers.octets[field.value])
      lines.append(contentsOf: "\r\n".utf8)
    }
    return MessageCoding.frame(lines[...], flags: trailersFlag)
  }

  /// Whether the answer is to be in base 64: as the client accepts, or else as it asks.
  static func wantsText(_ headers: HeaderList, isTextRequest: Bool) -> Bool {
    let accepted = (headers.first("accept") ?? "").split(separator: ",").compactMap {
      WebProtocol(contentType: String($0))
    }
    for case .grpcWeb(let isText) in accepted { return isText }
    return isTextRequest
  }
}

extension HeaderList {
  /// Appends the fields of `other` whose names `isWanted` lets pass.
  mutating func append(contentsOf other: HeaderList, where isWanted: (String) -> Bool) {
    for field in other where isWanted(other.name(of: field)) {
      append(name: other.octets.span.extracting(field.name), value: other.octets.span.extracting(field.value))
    }
  }
}
