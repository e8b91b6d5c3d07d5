import Base
import GoogleRPC
import InteropAPI
import ProtobufRuntime
import RPC
import Synchronization
import WellKnownTypes

@testable import WebProtocols

/// The base 64 of gRPC-Web's text mode.
enum Base64BodyFuzz {
  /// However the octets are cut, they are the same body, or none; and the body written again is what was read, but for
  /// padding within it.
  static func run(_ input: [UInt8]) throws {
    let whole = read([input[...]])
    try require(read(pieces(input)) == whole, "another body in pieces")
    guard let whole else { return }
    // Each group with padding ends what somebody encoded by itself.
    var parts: [[UInt8]] = [[]]
    for group in stride(from: 0, to: input.count, by: 4) {
      parts[parts.count - 1] += input[group..<min(group + 4, input.count)]
      if parts[parts.count - 1].last == UInt8(ascii: "=") { parts.append([]) }
    }
    let decoded = parts.map { Base64.decodeLeniently(String(decoding: $0, as: UTF8.self)) }
    try require(decoded.allSatisfy { $0 != nil }, "only the parser of bodies takes it")
    try require(decoded.flatMap { $0 ?? [] } == whole, "it is another body for the other decoder")
  }

  private static func read(_ pieces: [ArraySlice<UInt8>]) -> [UInt8]? {
    var body = Base64Body()
    var octets: [UInt8] = []
    do throws(RPCError) {
      for piece in pieces { octets += try body.take(piece.span) }
      return octets + (try body.end())
    } catch {
      return nil
    }
  }
}

/// The query of a Connect GET.
enum QueryFuzz {
  /// What is read and written again, all in hexadecimal, is the same call.
  static func run(_ input: [UInt8]) throws {
    let text = String(decoding: input, as: UTF8.self)
    guard let query = try? ConnectQuery(text[...]) else { return }
    var written = "connect=v1&encoding=\(query.format.rawValue)&message=\(hexadecimal(query.message))"
    if let name = query.encodingName { written += "&compression=\(hexadecimal(Array(name.utf8)))" }
    let again = try? ConnectQuery(written[...])
    try require(again == query, "\(text) is \(query), and \(written) is \(String(describing: again))")
  }

  private static func hexadecimal(_ octets: [UInt8]) -> String {
    octets.map { "%" + String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}

/// Whole requests of the web protocols.
enum WebFuzz {
  private struct Kind {
    let type: String
    let method: String
    /// The header that says that messages are compressed.
    let encoding: String
  }

  private static let kinds = [
    Kind(type: "application/json", method: "UnaryCall", encoding: "content-encoding"),
    Kind(type: "application/proto", method: "EmptyCall", encoding: "content-encoding"),
    Kind(type: "application/connect+json", method: "StreamingInputCall", encoding: "connect-content-encoding"),
    Kind(type: "application/connect+proto", method: "FullDuplexCall", encoding: "connect-content-encoding"),
    Kind(type: "application/grpc-web", method: "UnaryCall", encoding: "grpc-encoding"),
    Kind(type: "application/grpc-web-text", method: "StreamingOutputCall", encoding: "grpc-encoding"),
    Kind(type: "application/json", method: "EmptyCall", encoding: "content-encoding"),
  ]
  private static let service = "/grpc.testing.TestService/"
  private static let limits = WebLimits(messageBytes: 2048)

  // The descriptors are our own: that they can be read is not in question here.
  private static let acceptor = WebAcceptor(
    RecordingCore(),
    pool: try! DescriptorPool(serializedFileDescriptorSets: [
      WellKnownTypesDescriptors.serializedFileDescriptorSet, GoogleRPCDescriptors.serializedFileDescriptorSet,
      InteropAPIDescriptors.serializedFileDescriptorSet,
    ]), limits: limits)

  /// The first octet chooses protocol and compression; the rest is the body, or the query of a GET. However the body is
  /// cut, and whether or not its messages wait for their turns, the core gets the same request and the client the same
  /// answer; all window is given back, and nothing stays counted or waits.
  static func run(_ input: [UInt8]) throws {
    guard let choice = input.first else { return }
    let body = Array(input.dropFirst())
    let whole = try call(choice, [body[...]], waits: false)
    for (pieces, waits) in [(pieces(body), false), ([body[...]], true), (pieces(body), true)] {
      let other = try call(choice, pieces, waits: waits)
      try require(
        whole == other, "in \(pieces.count) pieces\(waits ? " with turns" : "") it is \(other) instead of \(whole)")
    }
  }

  /// What the core got, unless the request was no good, and the client.
  private struct Outcome: Equatable {
    var core: [UInt8]?
    var status: Int?
    var body: [UInt8]
  }

  private static func call(_ choice: UInt8, _ pieces: [ArraySlice<UInt8>], waits: Bool) throws -> Outcome {
    let executor = StillExecutor()
    let stream = RecordingStream(executor)
    let handler: any ServerStreamHandler
    var received = 0
    func tick() {
      executor.turns.tickBegan()
      // With nothing left, each message has a tick of its own.
      if waits { executor.turns.spend((1 << 20) - 1) }
      executor.turns.takeTurns()
    }
    if waits { executor.turns.spend(1 << 20) }
    if choice & 7 == 7 {
      let query = String(decoding: pieces.joined(), as: UTF8.self)
      let path = service + "CacheableUnaryCall?" + query
      handler = acceptor.accept(head("GET", path, [:]), on: stream)
    } else {
      let kind = kinds[Int(choice & 7)]
      var headers: HeaderList = ["content-type": kind.type]
      if choice & 8 != 0 { headers.append(kind.encoding, "gzip") }
      handler = acceptor.accept(head("POST", service + kind.method, headers), on: stream)
      for piece in pieces where !piece.isEmpty {
        handler.receive(piece.span)
        received += piece.count
      }
    }
    handler.receiveEnd()
    while executor.turns.areWaiting { tick() }
    try require(stream.isFinished, "there is no answer")
    try require(stream.consumedCount == received, "\(received) octets came, \(stream.consumedCount) are given back")
    try require(!handler.isMidMessage, "the request has ended")
    let core = executor.core
    handler.closed(nil)
    try require(acceptor.gathered.load(ordering: .relaxed) == 0, "something stays counted")
    return Outcome(core: core?.failed == false ? core?.body : nil, status: stream.status, body: stream.body)
  }

  private static func head(_ method: String, _ path: String, _ headers: HeaderList) -> RequestHead {
    RequestHead(method: method, path: path, scheme: "http", authority: "x", headers: headers)
  }
}

/// Runs nothing by itself: the calls of these targets begin and end at once.
private final class StillExecutor: CallExecutor, @unchecked Sendable {
  // Unchecked because everything is on the one thread that runs the target.
  private struct Nothing: ScheduledWork {
    func cancel() {}
  }

  let turns = InflateTurns()
  let number = ExecutorNumber.next()
  /// The request that came through.
  weak var core: CoreHandler?

  var isCurrent: Bool { true }
  var inflating: InflateTurns? { turns }
  func execute(_ work: @escaping @Sendable () -> Void) {}
  func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) -> any ScheduledWork { Nothing() }
  func enqueue(_ job: consuming ExecutorJob) {}
}

/// The transport's end: keeps the answer.
private final class RecordingStream: ServerStream {
  private let still: StillExecutor
  private(set) var status: Int?
  private(set) var body: [UInt8] = []
  private(set) var isFinished = false
  private(set) var consumedCount = 0

  init(_ executor: StillExecutor) {
    still = executor
  }

  var executor: any CallExecutor { still }
  var peer: PeerInfo { PeerInfo(address: "ipv4:127.0.0.1:1", isEncrypted: false) }
  var queuedBytes: Int { 0 }
  func respond(status: Int, headers: HeaderList, endStream: Bool) {
    self.status = status
    isFinished = endStream
  }
  func write(_ bytes: [UInt8]) { body += bytes }
  func finish(trailers: HeaderList?) { isFinished = true }
  func reset(_ code: ResetCode) { isFinished = true }
  func consumed(_ count: Int) { consumedCount += count }
}

/// The core: answers each request, when it has ended, with its own body.
private struct RecordingCore: RequestAcceptor {
  func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
    let handler = CoreHandler(stream)
    (stream.executor as? StillExecutor)?.core = handler
    return handler
  }
}

private final class CoreHandler: ServerStreamHandler {
  private let stream: any ServerStream
  private(set) var body: [UInt8] = []
  private(set) var failed = false
  private var isOver = false

  init(_ stream: any ServerStream) {
    self.stream = stream
  }

  var isMidMessage: Bool { !isOver }

  func receive(_ bytes: Span<UInt8>) {
    // All of it is taken, as by a handler that reads.
    stream.consumed(bytes.count)
    guard !isOver else { return }
    for index in bytes.indices { body.append(bytes[index]) }
  }

  func receiveEnd() {
    guard !isOver else { return }
    isOver = true
    stream.respond(status: 200, headers: ["content-type": "application/grpc"], endStream: false)
    stream.write(body)
    stream.finish(trailers: ["grpc-status": "0"])
  }

  func fail(_ error: RPCError) {
    guard !isOver else { return }
    (isOver, failed) = (true, true)
    stream.respond(
      status: 200, headers: ["content-type": "application/grpc", "grpc-status": "\(error.code.rawValue)"],
      endStream: true)
  }

  func drained() {}
  func closed(_ reason: StreamClosure?) {}
}
