import ChatAPI
import Foundation
import RPC

/// One client's chat stream, whichever method carries it.
struct Guest: Sendable {
  private let write: @Sendable (ClientFrame) async throws -> Void
  private let read: @Sendable () async throws -> ServerFrame?
  let cancel: @Sendable () -> Void
  let finish: @Sendable () -> Void

  /// A stream of frames as they are.
  init(_ call: BidirectionalCall<ClientFrame, ServerFrame>) {
    write = { try await call.requests.write($0) }
    read = { try await call.responses.next() }
    cancel = { call.cancel() }
    finish = { call.requests.finish() }
  }

  /// A stream of ChatService.
  init(_ call: BidirectionalCall<ChatRequest, ChatResponse>, room: String) {
    write = {
      var request = ChatRequest()
      request.roomID = room
      request.frame = $0
      try await call.requests.write(request)
    }
    read = { try await call.responses.next()?.frame }
    cancel = { call.cancel() }
    finish = { call.requests.finish() }
  }

  func send(_ frame: ClientFrame.Frame) async throws {
    var whole = ClientFrame()
    whole.frame = frame
    try await write(whole)
  }

  func post(_ text: String, files: [String] = [], requestID: String = UUID().uuidString) async throws {
    var post = Post()
    post.requestID = requestID
    post.text = text
    post.uploadIds = files
    try await send(.post(post))
  }

  /// The next frame, past heartbeats, which come by real time; nil at the end.
  func next() async throws -> ServerFrame? {
    while let frame = try await read() {
      if case .heartbeat = frame.frame { continue }
      return frame
    }
    return nil
  }

  /// The first frame.
  func joined() async throws -> (Joined, token: String) {
    guard let frame = try await next(), case .joined(let joined) = frame.frame else { throw Unexpected() }
    return (joined, frame.resumeToken)
  }

  /// The next message, past all else.
  func message() async throws -> (ChatMessage, token: String) {
    while let frame = try await next() {
      if case .message(let message) = frame.frame { return (message, frame.resumeToken) }
    }
    throw Unexpected()
  }

  /// What holds for the room now, past all else.
  func status() async throws -> RoomStatus {
    while let frame = try await next()?.frame {
      if case .status(let status) = frame { return status }
    }
    throw Unexpected()
  }

  /// The next message that was taken away, past all else.
  func deletion() async throws -> MessageDeleted {
    while let frame = try await next()?.frame {
      if case .messageDeleted(let deleted) = frame { return deleted }
    }
    throw Unexpected()
  }

  /// The answer to the newest post, past messages.
  func answer() async throws -> ServerFrame.Frame {
    while let frame = try await next()?.frame {
      switch frame {
      case .postAccepted, .postRefused: return frame
      default: continue
      }
    }
    throw Unexpected()
  }

  /// Posts, and waits until that has been stored.
  /// - Returns: its number.
  @discardableResult
  func say(_ text: String) async throws -> Int64 {
    try await post(text)
    guard case .postAccepted(let accepted) = try await answer() else { throw Unexpected() }
    return accepted.number
  }

  /// The reason of the refusal of the newest post.
  func refusal() async throws -> String {
    guard case .postRefused(let refused) = try await answer() else { throw Unexpected() }
    return refused.reason
  }

  /// Posts what is to be refused.
  /// - Returns: why.
  func refusal(of text: String) async throws -> String {
    try await post(text)
    return try await refusal()
  }
}

/// A frame of another kind came, or none.
struct Unexpected: Error {}
