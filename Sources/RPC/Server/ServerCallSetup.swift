/// What a call on the server begins with.
struct ServerCallSetup {
  let server: RPCServer
  let method: MethodDescriptor
  let head: RequestHead
  let fields: RequestFields
  let stream: any ServerStream

  /// How long the call may take, from what the client, the method and the server's limits say.
  var timeout: Duration? {
    let limits = server.limits
    guard let timeout = method.policy.timeout(requested: fields.timeout) ?? limits.defaultDeadline else {
      return limits.longestDeadline
    }
    return limits.longestDeadline.map { min($0, timeout) } ?? timeout
  }
}

/// What the core reads in the head of a request, found in one pass.
struct RequestFields {
  private(set) var isGRPC = false
  private(set) var timeout: Duration?
  private(set) var hasMalformedTimeout = false
  private(set) var declaresEncoding = false

  init(_ headers: HeaderList) {
    for field in headers {
      switch field.name.count {
      case 12:
        if headers.holds(field.name, "content-type") {
          isGRPC = ContentType.isGRPC(headers, field.value)
        } else if headers.holds(field.name, "grpc-timeout") {
          timeout = TimeoutHeader.parse(headers.value(of: field))
          hasMalformedTimeout = timeout == nil
        }
      case 13:
        if headers.holds(field.name, "grpc-encoding") {
          declaresEncoding = !headers.holds(field.value, "identity")
        }
      default: break
      }
    }
  }
}

/// The media types of gRPC over HTTP/2.
enum ContentType {
  static let grpc = "application/grpc"

  /// Whether the value is `application/grpc` or `application/grpc+proto`, with or without parameters. Other message
  /// formats and gRPC-Web are not gRPC here.
  static func isGRPC(_ headers: HeaderList, _ value: Range<Int>) -> Bool {
    if headers.holds(value, grpc) { return true }
    let type = headers.octets[value].prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
    return headers.holds(type.indices, grpc) || headers.holds(type.indices, "application/grpc+proto")
  }
}
