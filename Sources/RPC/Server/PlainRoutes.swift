internal import Base
internal import Synchronization

/// A request for something that is no call, such as a picture: what browsers and media players ask for by its address.
public struct PlainRequest: Sendable {
  /// `GET` or `HEAD`; HEAD's answer is that of GET, of which the body is left out here.
  public let method: String
  /// The path as it came, without the query.
  public let path: Substring
  public let headers: HeaderList
  public let peer: PeerInfo

  public init(method: String, path: Substring, headers: HeaderList, peer: PeerInfo) {
    (self.method, self.path, self.headers, self.peer) = (method, path, headers, peer)
  }
}

/// The answer to one.
public struct PlainResponse: Sendable {
  /// Gives the next piece of a body, never empty; nil after the last.
  public typealias Body = @Sendable () async throws -> [UInt8]?

  public var status: Int
  /// Without `content-length`.
  public var headers: HeaderList
  /// The length of the body in bytes; what `body` gives must have exactly it.
  public var length: Int
  public var body: Body

  /// - Parameter body: is called as the peer takes what was before, and not at all for HEAD.
  public init(status: Int, headers: HeaderList = HeaderList(), length: Int, body: @escaping Body) {
    (self.status, self.headers, self.length, self.body) = (status, headers, length, body)
  }

  /// An answer with a short body, or none.
  public init(status: Int, headers: HeaderList = HeaderList(), _ bytes: [UInt8] = []) {
    let rest = Locked(bytes)
    self.init(status: status, headers: headers, length: bytes.count) {
      rest.withLock { rest in
        defer { rest = [] }
        return rest.isEmpty ? nil : rest
      }
    }
  }
}

/// Answers plain requests for all paths that begin alike.
public protocol PlainRoute: Sendable {
  /// `/media/`, say.
  var prefix: String { get }

  /// Answers a request. What it throws is answered with 500, and told to nobody.
  func answer(_ request: PlainRequest) async throws -> PlainResponse
}

/// Answers plain requests before they reach what answers calls, at the same addresses.
///
/// ```swift
/// let acceptor = PlainRoutes([pictures], before: WebAcceptor(server, pool: pool))
/// // HTTP2Server(acceptor: acceptor, …)
/// ```
public final class PlainRoutes: RequestAcceptor {
  private let routes: [any PlainRoute]
  private let next: any RequestAcceptor
  private let limits: PlainLimits
  /// Requests under way.
  private let count = Atomic(0)

  public init(_ routes: [any PlainRoute], before next: any RequestAcceptor, limits: PlainLimits = PlainLimits()) {
    self.routes = routes
    self.next = next
    self.limits = limits
  }

  public func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
    guard let route = routes.first(where: { head.path.hasPrefix($0.prefix) }) else {
      return next.accept(head, on: stream)
    }
    guard head.method == "GET" || head.method == "HEAD" else {
      return RefusedRequest(stream, httpStatus: 405, "only GET and HEAD\n", headers: ["allow": "GET, HEAD"])
    }
    guard count.add(1, ordering: .relaxed).newValue <= limits.requests else {
      count.subtract(1, ordering: .relaxed)
      return RefusedRequest(stream, httpStatus: 503, "too many requests at once\n", headers: ["retry-after": "1"])
    }
    let path = head.path.prefix { $0 != "?" }
    let request = PlainRequest(method: head.method, path: path, headers: head.headers, peer: stream.peer)
    let exchange = PlainExchange(stream, stalls: limits.stallTime) { [self] in
      count.subtract(1, ordering: .relaxed)
    }
    exchange.start(request, route)
    return exchange
  }
}

/// One plain request as it is answered. Confined to the stream's executor.
private final class PlainExchange: ServerStreamHandler, @unchecked Sendable {
  // Unchecked because everything happens on the stream's executor, which the task prefers.
  private let stream: any ServerStream
  private let stallTime: Duration
  private let ended: @Sendable () -> Void
  private let room = ParkingSpot()
  private var task: Task<Void, Never>?
  private var isClosed = false
  private var hasFinished = false

  init(_ stream: any ServerStream, stalls stallTime: Duration, ended: @escaping @Sendable () -> Void) {
    self.stream = stream
    self.stallTime = stallTime
    self.ended = ended
  }

  func start(_ request: PlainRequest, _ route: any PlainRoute) {
    let task = Task.immediate(executorPreference: stream.executor) { await self.run(request, route) }
    if !hasFinished { self.task = task }
  }

  private func run(_ request: PlainRequest, _ route: any PlainRoute) async {
    defer {
      hasFinished = true
      task = nil
      ended()
    }
    var hasResponded = false
    do {
      let response = try await route.answer(request)
      guard !isClosed else { return }
      var headers = response.headers
      let isBare = response.status == 304
      if !isBare { headers.append("content-length", String(response.length)) }
      hasResponded = true
      if request.method == "HEAD" || isBare || response.length == 0 {
        return stream.respond(status: response.status, headers: headers, endStream: true)
      }
      stream.respond(status: response.status, headers: headers, endStream: false)
      try await write(response)
      if !isClosed { stream.finish(trailers: nil) }
    } catch {
      guard !isClosed else { return }
      if hasResponded {
        stream.reset(error is CancellationError ? .cancel : .internalError)
      } else {
        stream.respond(status: 500, request.method == "HEAD" ? "" : "something went wrong on the server\n")
      }
    }
  }

  private func write(_ response: PlainResponse) async throws {
    var rest = response.length
    while let piece = try await response.body() {
      guard !isClosed else { return }
      rest -= piece.count
      precondition(rest >= 0, "a body is longer than was said")
      stream.write(piece)
      try await waitForRoom()
      guard !isClosed else { return }
    }
    // The peer would wait for the rest, or take the next answer for it.
    if rest > 0 { throw CancellationError() }
  }

  /// Waits for the peer to take what is queued, and gives one up that takes nothing for too long.
  private func waitForRoom() async throws {
    guard !isClosed, !stream.hasRoom else { return }
    // The exchange is confined to the executor, where the timer goes off.
    let timer = stream.executor.schedule(after: stallTime) { [weak self] in self?.giveUp() }
    defer { timer.cancel() }
    while !isClosed, !stream.hasRoom { try await room.park() }
  }

  private func giveUp() {
    guard !isClosed, !hasFinished else { return }
    stream.reset(.cancel)
    close()
  }

  private func close() {
    isClosed = true
    task?.cancel()
    room.unpark()
  }

  func receive(_ bytes: Span<UInt8>) {
    if !isClosed { stream.consumed(bytes.count) }
  }

  func receiveEnd() {}

  func drained() { room.unpark() }

  func closed(_ reason: StreamClosure?) { close() }
}
