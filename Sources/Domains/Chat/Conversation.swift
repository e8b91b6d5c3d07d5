import Base
import ChatAPI
import DomainKit
import ProtobufRuntime
import RPC
import Storage
import Streaming
import WellKnownTypes

/// One client's stream in one room: a task that reads its posts, and one that sends what happens in the room.
struct Conversation: Sendable {
  let rooms: ChatRooms
  let room: Identifier
  let access: RoomAccess
  let caller: Caller
  let frames: ChatFrames
  let context: ServerContext

  private var kit: Kit { rooms.kit }

  private struct Snapshot: Sendable {
    let tail: [ChatMessage]
    let nextNumber: Int64
    let closedAt: Instant?
  }

  func run(_ first: ClientFrame) async throws {
    guard case .join(let join) = first.frame else {
      throw KitError.invalid(FieldViolation(field: "frame", description: "the first frame must be join"))
    }
    do {
      let (snapshot, subscription) = try await enter(join)
      if let closedAt = snapshot.closedAt, !(try await hasMore(subscription)) {
        return try await frames.send(Self.frame(.closed(Closed(at: closedAt)), token: subscription.lastToken))
      }
      let clock = kit.clock
      let stopHeart = frames.keepAlive {
        var beat = Heartbeat()
        beat.serverTime = Timestamp(clock.now())
        return Self.frame(.heartbeat(beat))
      }
      defer { stopHeart() }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await deliver(subscription) }
        group.addTask { try await readPosts() }
        // Whoever ends first ends the stream: the room has closed, or the client has left.
        defer { group.cancelAll() }
        try await group.next()
      }
    } catch let error as TopicError {
      throw KitError(error)
    }
  }

  /// Sends the first frame, and subscribes to all that follows it.
  private func enter(_ join: Join) async throws -> (Snapshot, TopicSubscription) {
    let topic = RoomRow.topic(of: room)
    let (snapshot, token, live) = try await kit.hub.watch(topic) { reader in
      guard let row = try RoomRow.find(room, in: reader),
        try access == .visitor || RoomRow.hasMember(caller.user, room, in: reader)
      else { throw KitError.notFound("room") }
      return Snapshot(
        tail: join.resumeToken.isEmpty ? try row.tail(ChatRooms.tailLength, in: reader) : [],
        nextNumber: row.nextNumber, closedAt: row.closedAt)
    }
    let resumes = !join.resumeToken.isEmpty && join.resumeToken != token
    let subscription = resumes ? try await kit.hub.resume(topic, token: join.resumeToken) : live
    var joined = Joined()
    joined.roomID = room.text(kind: IDKind.room)
    joined.messages = snapshot.tail
    joined.nextNumber = snapshot.nextNumber
    try await frames.send(Self.frame(.joined(joined), token: resumes ? join.resumeToken : token))
    return (snapshot, subscription)
  }

  /// Whether a closed room has something to say to this client still.
  private func hasMore(_ subscription: TopicSubscription) async throws -> Bool {
    try await kit.hub.watch(subscription.topic) { _ in }.token != subscription.lastToken
  }

  /// Sends what happens, until the room closes.
  private func deliver(_ subscription: TopicSubscription) async throws {
    while true {
      let event = try await subscription.next()
      if kit.authority.hasEnded(caller.session) { throw KitError.sessionEnded }
      if event.payload.isEmpty {
        try await requireMembership()
        continue
      }
      let frame = try event.shared { try ServerFrame(decoding: $0.payload) }
      try await frames.send(frame)
      if case .closed = frame.frame { return }
    }
  }

  private func requireMembership() async throws {
    if access == .visitor { return }
    let isMember = try await kit.database.read { try RoomRow.hasMember(caller.user, room, in: $0) }
    guard isMember else { throw KitError.notFound("room") }
  }

  /// Stores the client's posts, until it half-closes. Each is a transaction of its own and is answered by a row.
  private func readPosts() async throws {
    while let frame = try await frames.receive() {
      guard case .post(let post) = frame.frame else {
        throw KitError.invalid(FieldViolation(field: "frame", description: "a client joins once and posts then"))
      }
      do {
        let accepted: PostAccepted = try await kit.mutate(post, context) { writer in
          var accepted = PostAccepted()
          accepted.requestID = post.requestID
          accepted.number = try rooms.post(post.text, to: room, by: caller.user, access: access, in: writer)
          return accepted
        }
        try await frames.send(Self.frame(.postAccepted(accepted)))
      } catch let error as any DomainError {
        try await frames.send(Self.frame(.postRefused(PostRefused(post, error.mapping))))
      }
    }
  }

  private static func frame(_ frame: ServerFrame.Frame, token: String = "") -> ServerFrame {
    var whole = ServerFrame()
    whole.resumeToken = token
    whole.frame = frame
    return whole
  }
}

extension PostRefused {
  init(_ post: Post, _ mapping: ErrorMapping) {
    self.init()
    requestID = post.requestID
    reason = mapping.reason
    message = mapping.message
    retryAfter = mapping.retryAfter.map { ProtoDuration($0) }
  }
}
