import Base
import ProtobufRuntime
import RPC

/// Where the messages of a request come from.
enum RequestSource {
  /// JSON objects that are there already.
  case objects([[UInt8]])
  /// JSON objects, one after another, in a file or on standard input; `first` goes before them.
  case stream(InputFile, first: [[UInt8]])
  /// Lines of text, each made into an object.
  case lines(InputFile, first: [[UInt8]], object: @Sendable (String) -> JSONText)
}

/// Makes one call whose method is known by its descriptor only: JSON in, messages out.
struct CallRunner {
  let client: Client
  let service: ServiceDescriptor
  let method: MethodDefinition
  /// Whether a request without `request_id` gets one.
  var fillsRequestID = false

  private var descriptor: MethodDescriptor {
    let kind: MethodKind =
      switch (method.isClientStreaming, method.isServerStreaming) {
      case (false, false): .unary
      case (false, true): .serverStreaming
      case (true, false): .clientStreaming
      case (true, true): .bidirectional
      }
    return MethodDescriptor(service: service.fullName, name: method.name, kind: kind)
  }

  /// Calls, and hands each message of the answer to `receive` as it comes.
  func run(_ source: RequestSource, receive: ([UInt8]) async throws -> Void) async throws {
    let first: [[UInt8]] =
      switch source {
      case .objects(let objects): try await wire(objects)
      case .stream(_, let first), .lines(_, let first, _): try await wire(first)
      }
    if !method.isClientStreaming, first.count != 1 {
      throw UsageError("\(method.name) takes one message, not \(first.count)")
    }
    var remedies = Client.Remedies()
    while true {
      var hasReceived = false
      do {
        return try await attempt(first, source, remedies) { message in
          hasReceived = true
          try await receive(message)
        }
      } catch let error as RPCError {
        // What was read from a stream of requests is gone.
        guard case .objects = source, !hasReceived, try await remedies.find(for: error, by: client) else { throw error }
      }
    }
  }

  private func attempt(
    _ first: [[UInt8]], _ source: RequestSource, _ remedies: Client.Remedies,
    _ receive: ([UInt8]) async throws -> Void
  ) async throws {
    var options = try await client.callOptions()
    try remedies.apply(to: &options)
    // The most general kind does for all: what is counted is counted here.
    let call = client.channel.bidirectional(
      descriptor, sending: RawMessage.self, as: RawMessage.self, options: options)
    let feeding = Locked<(any Error)?>(nil)
    let encoder = RequestEncoder(codec: JSONCodec(client.pool), type: method.inputType, fillsRequestID: fillsRequestID)
    let writer = Task {
      do {
        for message in first { try await call.requests.write(RawMessage(message)) }
        switch source {
        case .objects: break
        case .stream(let file, _): try await encoder.feed(file, to: call.requests)
        case .lines(let file, _, let object): try await encoder.feed(linesOf: file, as: object, to: call.requests)
        }
        call.requests.finish()
      } catch is RPCError {
        // The call is over; its answer says why.
      } catch {
        feeding.withLock { $0 = error }
        call.cancel()
      }
    }
    defer { writer.cancel() }
    do {
      try await read(call, receive)
    } catch {
      throw feeding.withLock { $0 } ?? error
    }
  }

  private func read(
    _ call: BidirectionalCall<RawMessage, RawMessage>, _ receive: ([UInt8]) async throws -> Void
  ) async throws {
    if client.global.isVerbose { show("<", try? await call.initialMetadata) }
    var count = 0
    do {
      while let message = try await call.responses.next() {
        count += 1
        if count > 1, !method.isServerStreaming { throw RPCError(.internal, "the server sent more than one message") }
        try await receive(message.bytes)
      }
    } catch {
      if client.global.isVerbose { show("<<", try? await call.trailingMetadata) }
      throw error
    }
    if client.global.isVerbose {
      show("<<", try? await call.trailingMetadata)
      Output.note("status: OK")
    }
    if count == 0, !method.isServerStreaming { throw RPCError(.internal, "the server sent a status and no message") }
  }

  private func show(_ mark: String, _ metadata: Metadata?) {
    for (name, value) in metadata ?? Metadata() { Output.note("\(mark) \(name): \(value)") }
  }

  /// The wire form of JSON objects. An Any may hold a message that was not asked for before: the server is asked.
  private func wire(_ objects: [[UInt8]]) async throws -> [[UInt8]] {
    var result: [[UInt8]] = []
    for object in objects {
      result.append(
        try await learning {
          try RequestEncoder(codec: JSONCodec(client.pool), type: method.inputType, fillsRequestID: fillsRequestID)
            .wire(object)
        })
    }
    return result
  }

  /// The JSON form of a message of the answer.
  func json(_ wire: [UInt8]) async throws -> [UInt8] {
    let options = client.jsonOptions(isOneOfMany: method.isServerStreaming)
    return try await learning {
      try JSONCodec(client.pool).json(fromWire: wire, type: method.outputType, options: options)
    }
  }

  private func learning<Result>(_ body: () throws -> Result) async throws -> Result {
    var asked: Set<String> = []
    while true {
      do {
        return try body()
      } catch let error as JSONError {
        guard case .unknownType(let name) = error.reason, asked.insert(name).inserted else { throw error }
        // If the server does not know it either, the first error says more.
        guard (try? await client.reflection.load(symbol: name)) != nil else { throw error }
      }
    }
  }
}
