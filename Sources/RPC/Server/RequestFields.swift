/// What the core reads in the head of a request, found in one pass.
struct RequestFields {
  private(set) var isGRPC = false
  private(set) var timeout: Duration?
  private(set) var hasMalformedTimeout = false
  /// nil for an encoding that is not known here.
  private(set) var encoding: MessageEncoding? = .identity
  /// Where the first `authorization` has its value.
  private(set) var authorization: Range<Int>?

  init(_ headers: HeaderList) {
    for field in headers {
      switch field.name.count {
      case 12:
        if headers.holds(field.name, "content-type") {
          isGRPC = ContentType.isGRPC(headers, field.value)
        } else if headers.holds(field.name, "grpc-timeout") {
          // Of two, nobody knows which one holds.
          let isFirst = timeout == nil
          timeout = TimeoutHeader.parse(headers.value(of: field))
          if !isFirst || timeout == nil { hasMalformedTimeout = true }
        }
      case 13:
        if headers.holds(field.name, "grpc-encoding") {
          encoding = MessageEncoding(headers, field.value)
        } else if authorization == nil, headers.holds(field.name, "authorization") {
          authorization = field.value
        }
      default: break
      }
    }
  }
}

/// The media types of gRPC over HTTP/2.
enum ContentType {
  static let grpc = "application/grpc"
  private static let plain: StaticString = "application/grpc"

  /// Whether the value is `application/grpc` or `application/grpc+proto`, with or without parameters. Other message
  /// formats and gRPC-Web are not gRPC here.
  static func isGRPC(_ headers: HeaderList, _ value: Range<Int>) -> Bool {
    if headers.holds(value, plain) { return true }
    let type = headers.octets[value].prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
    return headers.holds(type.indices, plain) || headers.holds(type.indices, "application/grpc+proto")
  }
}
