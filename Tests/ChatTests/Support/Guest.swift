import ChatAPI
import Foundation
import RPC

/// One client's chat stream.
struct Guest: Sendable {
  let call: BidirectionalCall<ClientFrame, ServerFrame>

  func send(_ frame: ClientFrame.Frame) async throws {
    var whole = ClientFrame()
    whole.frame = frame
    try await call.requests.write(whole)
  }

  func post(_ text: String, requestID: String = UUID().uuidString) async throws {
    var post = Post()
    post.requestID = requestID
    post.text = text
    try await send(.post(post))
  }

  /// The next frame; nil at the end.
  func next() async throws -> ServerFrame? { try await call.responses.next() }

  /// The first frame.
  func joined() async throws -> (Joined, token: String) {
    guard let frame = try await next(), case .joined(let joined) = frame.frame else { throw Unexpected() }
    return (joined, frame.resumeToken)
  }

  /// The next message, past answers to posts.
  func message() async throws -> (ChatMessage, token: String) {
    while let frame = try await next() {
      if case .message(let message) = frame.frame { return (message, frame.resumeToken) }
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

  /// The reason of the refusal of the newest post.
  func refusal() async throws -> String {
    guard case .postRefused(let refused) = try await answer() else { throw Unexpected() }
    return refused.reason
  }
}

/// A frame of another kind came, or none.
struct Unexpected: Error {}
