internal import RPC

/// A request that is no call, answered in plain HTTP with a text for people.
final class PlainAnswer: WebCall {
  init(
    _ acceptor: WebAcceptor, _ stream: any ServerStream, status: Int, _ text: String, _ fields: HeaderList,
    _ grant: CORSGrant?
  ) {
    super.init(acceptor, stream, grant)
    var headers: HeaderList = [
      "content-type": "text/plain; charset=utf-8", "content-length": String(text.utf8.count),
    ]
    headers.append(contentsOf: fields) { _ in true }
    grant?.annotate(&headers)
    answered()
    stream.respond(status: status, headers: headers, endStream: false)
    stream.write(Array(text.utf8))
    end()
  }
}
