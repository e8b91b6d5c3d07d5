import Base
import RPC

/// Makes a handler for each request with a closure.
struct ScriptedAcceptor: RequestAcceptor {
  let make: @Sendable (RequestHead, any ServerStream) -> any ServerStreamHandler

  func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler { make(head, stream) }
}

/// Sends back what it receives, as it comes, and ends when the request ends.
final class EchoHandler: ServerStreamHandler {
  let stream: any ServerStream
  private let onClose: (StreamClosure?) -> Void

  init(_ stream: any ServerStream, onClose: @escaping (StreamClosure?) -> Void = { _ in }) {
    self.stream = stream
    self.onClose = onClose
    stream.respond(status: 200, headers: ["content-type": "application/grpc"], endStream: false)
  }

  func receive(_ bytes: Span<UInt8>) {
    stream.write(bytes.array)
    stream.consumed(bytes.count)
  }

  func receiveEnd() {
    stream.finish(trailers: ["grpc-status": "0"])
  }

  func drained() {}
  func closed(_ reason: StreamClosure?) { onClose(reason) }
}

/// Counts what it receives and gives no window back until it is told.
final class HoldingHandler: ServerStreamHandler, @unchecked Sendable {
  // Unchecked because it is used on its loop only, which the tests see to.
  let stream: any ServerStream
  private(set) var received = 0
  private(set) var hasEnded = false
  private var given = 0
  private let onChange: @Sendable (HoldingHandler) -> Void
  private let onClose: @Sendable (StreamClosure?) -> Void

  init(
    _ stream: any ServerStream, onChange: @escaping @Sendable (HoldingHandler) -> Void = { _ in },
    onClose: @escaping @Sendable (StreamClosure?) -> Void = { _ in }
  ) {
    self.stream = stream
    self.onChange = onChange
    self.onClose = onClose
  }

  func receive(_ bytes: Span<UInt8>) {
    received += bytes.count
    onChange(self)
  }

  func receiveEnd() {
    hasEnded = true
    onChange(self)
  }

  /// Bytes whose window the peer does not have back.
  var held: Int { received - given }

  /// Gives back what is held.
  func giveBack() {
    let held = held
    given = received
    stream.consumed(held)
  }

  func drained() {}
  func closed(_ reason: StreamClosure?) { onClose(reason) }
}

/// Writes `total` bytes in pieces, as fast as the stream takes them.
final class DownloadHandler: ServerStreamHandler, @unchecked Sendable {
  // Unchecked for the reason of HoldingHandler.
  let stream: any ServerStream
  private var left: Int
  private let chunk: [UInt8]
  let mostQueued = Locked(0)
  private let onClose: @Sendable (StreamClosure?) -> Void

  init(
    _ stream: any ServerStream, total: Int, chunk: Int = 64 << 10,
    onClose: @escaping @Sendable (StreamClosure?) -> Void = { _ in }
  ) {
    self.stream = stream
    self.onClose = onClose
    left = total
    self.chunk = [UInt8](repeating: 0x5a, count: chunk)
    stream.respond(status: 200, headers: HeaderList(), endStream: false)
    pump()
  }

  private func pump() {
    while left > 0, stream.hasRoom {
      let part = min(left, chunk.count)
      stream.write(part == chunk.count ? chunk : Array(chunk.prefix(part)))
      left -= part
      let queued = stream.queuedBytes
      mostQueued.withLock { $0 = max($0, queued) }
      if left == 0 { stream.finish(trailers: ["grpc-status": "0"]) }
    }
  }

  func receive(_ bytes: Span<UInt8>) { stream.consumed(bytes.count) }
  func receiveEnd() {}
  func drained() { pump() }
  func closed(_ reason: StreamClosure?) { onClose(reason) }
}

extension Span<UInt8> {
  var array: [UInt8] { withUnsafeBufferPointer { [UInt8]($0) } }
}
