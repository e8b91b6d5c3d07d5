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
  let gate: RoomGate
  let frames: ChatFrames
  let context: ServerContext

  /// Events that reading is judged for at once.
  private static let batchLimit = 64

  var kit: Kit { rooms.kit }
  private var caller: Caller { gate.caller }
  var curtain: Curtain { Curtain(kit: kit, caller: caller) }

  private struct Snapshot: Sendable {
    let row: RoomRow
    let tail: [ChatMessage]
    /// What the room is beside, as the caller sees it; nil for what only members see.
    let sight: Sight?
    /// The language that the caller probably writes in.
    let language: String
    let counts: CountState
  }

  func run(_ first: ClientFrame) async throws {
    guard case .join(let join) = first.frame else {
      throw KitError.invalid(FieldViolation(field: "frame", description: "the first frame must be join"))
    }
    let presence = Presence(rooms, room: room, user: caller.user)
    do {
      try await run(join, presence)
    } catch {
      await presence.end()
      if let error = error as? TopicError { throw KitError(error) }
      throw error
    }
    await presence.end()
  }

  private func run(_ join: Join, _ presence: Presence) async throws {
    let (snapshot, subscription) = try await enter(join, presence)
    let told = Locked(snapshot.counts)
    // In a support room the user may write again.
    if let closedAt = snapshot.row.closedAt, snapshot.row.kind != .support, !(try await hasMore(subscription)) {
      let last = Self.frame(.closed(Closed(at: closedAt)), token: subscription.lastToken)
      return try await end(with: last, snapshot.row, told)
    }
    let clock = kit.clock
    let stopHeart = frames.keepAlive(kit, context, snapshot.sight) {
      presence.touch()
      var beat = Heartbeat()
      beat.serverTime = Timestamp(clock.now())
      return Self.frame(.heartbeat(beat))
    }
    defer { stopHeart() }
    let last = try await withThrowingTaskGroup(of: ServerFrame?.self) { group in
      group.addTask { try await deliver(subscription, snapshot.row, presence) }
      group.addTask {
        try await readPosts(snapshot.language)
        return nil
      }
      if snapshot.row.isOfStrangers {
        group.addTask {
          try await tellCounts(after: told)
          return nil
        }
      }
      // Whoever ends first ends the stream: the room has closed, or the client has left.
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
    // When nobody else sends any more.
    if let last { try await end(with: last, snapshot.row, told) }
  }

  /// Sends the last frame of a room that has closed, and before it what was counted until then.
  private func end(with last: ServerFrame, _ row: RoomRow, _ told: Locked<CountState>) async throws {
    if row.isOfStrangers { try await tellLastCounts(after: told) }
    try await frames.send(last)
  }

  /// The room, for a caller who may read.
  @discardableResult
  func confirm(in reader: any Reader) throws -> RoomRow {
    let row = try RoomRow.find(room, in: reader)
    guard try gate.mayRead(row, in: reader), let row else { throw KitError.notFound("room") }
    return row
  }

  /// Sends the first frame, and subscribes to all that follows it.
  private func enter(_ join: Join, _ presence: Presence) async throws -> (Snapshot, TopicSubscription) {
    let topic = RoomRow.topic(of: room)
    let lookout = kit.lookout()
    let (snapshot, token, live) = try await kit.hub.watch(topic) { reader in
      let row = try confirm(in: reader)
      let tail =
        join.resumeToken.isEmpty ? try MessageRow.list(room, limit: rooms.limits.tail, in: reader) : []
      // Who comes back has seen answers to polls, and not the last ones.
      let untold = join.resumeToken.isEmpty ? 0 : rooms.limits.polls
      let change = try PollRow.place(before: untold, in: room, reader)
      return Snapshot(
        row: row, tail: try curtain.draw(over: tail.reversed(), of: row, in: reader),
        sight: try gate.thing(beside: row).map { thing in
          try lookout.sight(of: thing, by: caller, in: reader) { try confirm(in: $0) }
        },
        language: try rooms.people.preferences(of: caller.user, in: reader).language,
        counts: CountState(hearts: row.hearts, change: change))
    }
    let resumes = !join.resumeToken.isEmpty && join.resumeToken != token
    let subscription = resumes ? try await kit.hub.resume(topic, token: join.resumeToken) : live
    // Nobody is told of messages beside a live stream.
    if snapshot.row.kind != .live { try await presence.begin() }
    var joined = Joined()
    joined.roomID = room.text(kind: IDKind.room)
    joined.messages = snapshot.tail
    joined.nextNumber = snapshot.row.nextNumber
    joined.status = snapshot.row.status(at: kit.clock.now())
    joined.heartTotal = snapshot.row.hearts
    try await frames.send(Self.frame(.joined(joined), token: resumes ? join.resumeToken : token))
    return (snapshot, subscription)
  }

  /// Whether a closed room has something to say to this client still.
  private func hasMore(_ subscription: TopicSubscription) async throws -> Bool {
    try await kit.hub.watch(subscription.topic) { _ in }.token != subscription.lastToken
  }

  /// Sends what happens, until the room closes.
  /// - Returns: the frame that says so.
  private func deliver(
    _ subscription: TopicSubscription, _ row: RoomRow, _ presence: Presence
  ) async throws -> ServerFrame {
    let isAskedEachTime = gate.isAskedAtEachPush(row)
    while true {
      var events = [try await subscription.next()]
      while events.count < Self.batchLimit, let event = subscription.nextIfReady() { events.append(event) }
      try await kit.judgeAgain(context)
      // Asked after all of these have committed. An empty one says that the members have changed.
      let mayHaveLeft = isAskedEachTime || events.contains(where: \.payload.isEmpty)
      var said = try events.filter { !$0.payload.isEmpty }.map { event in
        try event.shared { try ServerFrame(decoding: $0.payload) }
      }
      try await judge(&said, in: row, confirming: mayHaveLeft)
      for frame in said {
        if case .closed = frame.frame { return frame }
        try await frames.send(frame)
      }
      presence.touch()
    }
  }

  /// Makes sure that the client may read still, and hides from it what a block or a mute is between. One look at the
  /// database for all frames, after they have committed.
  private func judge(_ said: inout [ServerFrame], in row: RoomRow, confirming: Bool) async throws {
    let authors = row.isOfStrangers ? Set(said.compactMap(\.message?.author)) : []
    guard confirming || !authors.isEmpty else { return }
    let hidden = try await kit.database.read { reader in
      if confirming { try confirm(in: reader) }
      return try curtain.hidden(authors, in: reader)
    }
    if hidden.isEmpty { return }
    for index in said.indices {
      guard let message = said[index].message, let author = message.author, hidden.contains(author) else { continue }
      said[index].frame = .message(ChatMessage(hiding: message))
    }
  }

  /// Stores what the client sends, until it half-closes. Each frame is a transaction of its own and is answered by a row.
  private func readPosts(_ language: String) async throws {
    while let frame = try await frames.receive() {
      var request = RoomPost()
      request.roomID = room.text(kind: IDKind.room)
      var words: [String] = []
      switch frame.frame {
      case .post(let post): (request.post, words) = (post, [post.text])
      case .startPoll(let poll): (request.deed, words) = (frame, [poll.question] + poll.options)
      case .hearts, .vote, .closePoll: request.deed = frame
      case .join, nil:
        throw KitError.invalid(FieldViolation(field: "frame", description: "a client joins once and posts then"))
      }
      let score =
        words.isEmpty ? .nothing : await rooms.scorer.judge(words.joined(separator: "\n"), language: language)
      do {
        let accepted: PostAccepted = try await kit.mutate(request, context) { [request] writer in
          var accepted = PostAccepted()
          accepted.requestID = request.requestID
          accepted.number =
            if let post = request.post {
              try rooms.post(post, score, to: room, by: gate, in: writer)
            } else if let deed = request.deed?.frame {
              try rooms.take(deed, score, in: room, by: gate, writer)
            } else {
              preconditionFailure("a frame that is none of both")
            }
          return accepted
        }
        try await frames.send(Self.frame(.postAccepted(accepted)))
      } catch let error as any DomainError {
        if let error = error as? ChatError, case .banned = error {
          try await rooms.barDevice(of: caller, from: room)
        }
        try await frames.send(Self.frame(.postRefused(PostRefused(request.requestID, error.mapping))))
      }
    }
  }

  static func frame(_ frame: ServerFrame.Frame, token: String = "") -> ServerFrame {
    var whole = ServerFrame()
    whole.resumeToken = token
    whole.frame = frame
    return whole
  }
}

extension PostRefused {
  init(_ requestID: String, _ mapping: ErrorMapping) {
    self.init()
    self.requestID = requestID
    reason = mapping.reason
    message = mapping.message
    retryAfter = mapping.retryAfter.map { ProtoDuration($0) }
  }
}

extension ServerFrame {
  /// What somebody said; nil for other frames.
  fileprivate var message: ChatMessage? {
    if case .message(let message) = frame { message } else { nil }
  }
}
