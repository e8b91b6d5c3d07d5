import Base
import Compression
import RPC

/// A request by hand over the in-process transport, and all that came back.
final class WebExchange: ClientStreamHandler, @unchecked Sendable {
  // Unchecked: confined to the executor until `closed`, read by the test after it.
  private(set) var status = 0
  private(set) var head = HeaderList()
  private(set) var body: [UInt8] = []
  private(set) var closure: StreamClosure?
  private var stream: (any ClientStream)?
  private let executor: any CallExecutor
  private let returnsWindow: Bool
  private let ended = Locked((isOver: false, waiter: CheckedContinuation<Void, Never>?.none))
  private let onBody: Locked<(count: Int, waiter: CheckedContinuation<Void, Never>)?> = Locked(nil)

  init(
    _ transport: InProcessTransport, _ method: String, _ path: String, _ headers: HeaderList,
    returnsWindow: Bool = true
  ) {
    self.returnsWindow = returnsWindow
    executor = transport.executor()
    let executor = executor
    executor.execute {
      let head = RequestHead(method: method, path: path, scheme: "http", authority: "test", headers: headers)
      self.stream = transport.open(head, on: executor, handler: self)
    }
  }

  func write(_ bytes: [UInt8]) { executor.execute { self.stream?.write(bytes) } }
  /// Bytes written that the server's window has not let through.
  func waitingBytes() async -> Int {
    await withCheckedContinuation { continuation in
      executor.execute { continuation.resume(returning: self.stream?.queuedBytes ?? 0) }
    }
  }

  func finish() { executor.execute { self.stream?.finish() } }
  func reset() { executor.execute { self.stream?.reset(.cancel) } }

  /// Waits for the end of the stream.
  @discardableResult
  func end() async -> WebExchange {
    await withCheckedContinuation { continuation in
      let isOver = ended.withLock { ended in
        if !ended.isOver { ended.waiter = continuation }
        return ended.isOver
      }
      if isOver { continuation.resume() }
    }
    return self
  }

  /// Whether the stream has ended by now.
  var hasEnded: Bool { ended.withLock { $0.isOver } }

  /// Waits until `count` bytes of the answer are there, and gives what is.
  func body(of count: Int) async -> [UInt8] {
    await withCheckedContinuation { continuation in
      executor.execute {
        self.onBody.withLock { $0 = (count, continuation) }
        self.wakeBodyWaiter()
      }
    }
    return await withCheckedContinuation { continuation in
      executor.execute { continuation.resume(returning: self.body) }
    }
  }

  private func wakeBodyWaiter() {
    let due = onBody.withLock { waiting in
      guard let (count, waiter) = waiting, body.count >= count else { return CheckedContinuation<Void, Never>?.none }
      waiting = nil
      return waiter
    }
    due?.resume()
  }

  var text: String { String(decoding: body, as: UTF8.self) }

  func receiveHead(status: Int, headers: HeaderList, endStream: Bool) {
    self.status = status
    head = headers
  }
  func receive(_ bytes: Span<UInt8>) {
    for index in bytes.indices { body.append(bytes[index]) }
    if returnsWindow { stream?.consumed(bytes.count) }
    wakeBodyWaiter()
  }
  func receiveEnd(trailers: HeaderList) {
    // Nothing of the web protocols is in trailers: HTTP/1.1 and browsers have none.
    precondition(trailers.isEmpty)
  }
  func drained() {}
  func closed(_ reason: StreamClosure?) {
    closure = reason
    stream = nil
    let waiter = ended.withLock { ended in
      ended.isOver = true
      return ended.waiter
    }
    waiter?.resume()
  }
}

/// A frame of gRPC or Connect.
struct Frame: Equatable {
  var flags: UInt8
  var payload: [UInt8]

  var bytes: [UInt8] {
    [flags] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: payload.count >> $0) } + payload
  }

  var text: String { String(decoding: payload, as: UTF8.self) }

  /// The frames of a body; a rest that is no frame is given with the flags 0xff.
  static func all(_ body: [UInt8]) -> [Frame] {
    var frames: [Frame] = []
    var rest = body[...]
    while rest.count >= 5 {
      let start = rest.startIndex
      let length = rest[(start + 1)..<(start + 5)].reduce(0) { $0 << 8 | Int($1) }
      guard rest.count >= 5 + length else { break }
      frames.append(Frame(flags: rest[start], payload: Array(rest[(start + 5)..<(start + 5 + length)])))
      rest = rest.dropFirst(5 + length)
    }
    if !rest.isEmpty { frames.append(Frame(flags: 0xff, payload: Array(rest))) }
    return frames
  }
}

/// The bytes compressed; nil if that makes them no shorter.
func gzip(_ bytes: [UInt8]) -> [UInt8]? { Gzip.compress(bytes.span) }

/// What was compressed.
func gunzip(_ bytes: [UInt8]) throws -> [UInt8] { try Gzip.decompress(bytes.span, limit: 100_000) }
