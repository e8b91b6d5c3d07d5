import ProtobufRuntime
import RPC

/// Learns from a server's reflection service what it serves: grpc.reflection.v1, or v1alpha where that is all there
/// is. Both have the same wire form.
struct ServerReflection {
  /// What was learned so far.
  private(set) var pool = DescriptorPool()
  private let channel: RPCChannel
  private let options: CallOptions
  private var versions = ["v1", "v1alpha"][...]
  private var stream: BidirectionalCall<RawMessage, RawMessage>?

  /// Most rounds of asking for missing imports: deeper chains of imports are not to be believed.
  private static let mostRounds = 100

  init(_ channel: RPCChannel, options: CallOptions) {
    self.channel = channel
    self.options = options
  }

  /// The full names of the server's services, in order.
  mutating func services() async throws -> [String] {
    var answer = try await ask(.listServices, "*")
    guard let list = try answer.take(6) else { throw Self.nonsense }
    var reader = list
    var names: [String] = []
    while let tag = try reader.tag() {
      guard tag == WireTag(number: 1, type: .lengthDelimited) else {
        try reader.skip(tag)
        continue
      }
      var service = Answer(try reader.lengthDelimited())
      if let name = try service.take(1) { names.append(try name.text(field: "name")) }
    }
    return names.sorted()
  }

  /// Learns the file that defines `symbol` and all that it imports.
  /// - Throws: NOT_FOUND if the server does not know it.
  mutating func load(symbol: String) async throws {
    if pool.symbol(symbol) != nil { return }
    var files = try await self.files(.fileContainingSymbol, symbol)
    for _ in 0..<Self.mostRounds {
      do throws(DescriptorError) {
        try pool.add(serializedFiles: files)
        if pool.symbol(symbol) == nil { throw .unknownType(symbol: symbol, file: "what the server sent for it") }
        return
      } catch {
        guard case .missingImports(_, let imports) = error else { throw error }
        for name in imports { files += try await self.files(.fileByName, name) }
      }
    }
    throw Self.nonsense
  }

  // MARK: The protocol

  private enum Question: Int32 {
    case fileByName = 3
    case fileContainingSymbol = 4
    case listServices = 7
  }

  /// A ServerReflectionResponse, or any message with a field to be taken out.
  private struct Answer {
    private var reader: WireReader

    init(_ reader: WireReader) { self.reader = reader }

    /// The value of a length-delimited field.
    mutating func take(_ number: Int32) throws(DecodeError) -> WireReader? {
      var reader = reader
      while let tag = try reader.tag() {
        if tag == WireTag(number: number, type: .lengthDelimited) { return try reader.lengthDelimited() }
        try reader.skip(tag)
      }
      return nil
    }
  }

  private static var nonsense: RPCError { RPCError(.internal, "the server's reflection service talks nonsense") }

  private mutating func files(_ question: Question, _ name: String) async throws -> [[UInt8]] {
    var answer = try await ask(question, name)
    // FileDescriptorResponse and FileDescriptorSet have the same wire form.
    guard let files = try answer.take(4) else { throw Self.nonsense }
    return try DescriptorPool.files(inSet: files.remaining)
  }

  private mutating func ask(_ question: Question, _ text: String) async throws -> Answer {
    var request = WireWriter()
    request.tag(question.rawValue, .lengthDelimited)
    request.lengthDelimited(Array(text.utf8))
    var answer = Answer(WireReader(try await exchange(request.bytes)))
    if let error = try answer.take(7) {
      var reader = error
      var code = StatusCode.unknown
      var message = ""
      while let tag = try reader.tag() {
        switch (tag.number, tag.type) {
        case (1, .varint): code = StatusCode(rawValue: Int(truncatingIfNeeded: try reader.varint())) ?? .unknown
        case (2, .lengthDelimited): message = try reader.lengthDelimited().text(field: "error_message")
        default: try reader.skip(tag)
        }
      }
      throw RPCError(code, "\(text): " + (message.isEmpty ? "the server does not know it" : message))
    }
    return answer
  }

  private mutating func exchange(_ request: [UInt8]) async throws -> [UInt8] {
    while let version = versions.first {
      let method = MethodDescriptor(
        service: "grpc.reflection.\(version).ServerReflection", name: "ServerReflectionInfo", kind: .bidirectional)
      let stream =
        stream ?? channel.bidirectional(method, sending: RawMessage.self, as: RawMessage.self, options: options)
      self.stream = stream
      do {
        // A server without the service may end the call before the request is written: the answer tells.
        try? await stream.requests.write(RawMessage(request))
        if let response = try await stream.responses.next() { return response.bytes }
        throw RPCError(.internal, "the server ended the reflection stream")
      } catch let error as RPCError where error.code == .unimplemented {
        self.stream = nil
        versions = versions.dropFirst()
      }
    }
    throw RPCError(.unimplemented, "the server has no reflection service, so nothing is known of what it serves")
  }
}
