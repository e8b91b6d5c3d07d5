public import Base
public import ChatAPI
public import ProtobufRuntime
public import RPC
public import Storage

/// Rooms that people talk in. The chat domain implements it; other domains open rooms beside their own objects.
public protocol Rooms: Sendable {
  /// Opens a room in the caller's transaction. If the subject has one of that kind that is open, that one gets the
  /// members.
  /// - Throws: `KitError.limitExceeded` for more members than a room can have.
  func open(_ plan: RoomPlan, in writer: any Writer) throws -> Identifier

  /// Says who is in the room from now on. Streams of those who were and are not any more end with NOT_FOUND.
  /// - Throws: `KitError.limitExceeded`.
  func setMembers(_ room: Identifier, to members: [Identifier], in writer: any Writer) throws

  /// Closes a room for good; its streams end with OK. Closing a closed one changes nothing.
  func close(_ room: Identifier, in writer: any Writer) throws

  /// The newest room of a subject; nil if it never had one.
  func room(_ kind: RoomKind, about subject: String, in reader: any Reader) throws -> RoomState?

  /// Whether a user looks after the room: owns it, or was made a moderator. Those who may moderate by another right are
  /// judged by the caller. Moderators need not wait in slow mode.
  func isModerator(_ user: Identifier, of room: Identifier, in reader: any Reader) throws -> Bool

  /// Makes a user a moderator, or one no more. A repeat changes nothing.
  func setModerator(_ user: Identifier, _ isModerator: Bool, of room: Identifier, in writer: any Writer) throws

  /// Changes what holds for posts from now on, also on open screens.
  func setRules(_ rules: RoomRules, of room: Identifier, in writer: any Writer) throws

  /// Takes a message away, also from open screens, and for good: nobody gets its text again. A repeat changes nothing.
  /// - Parameter message: `msg_…`.
  /// - Throws: `KitError.notFound`.
  func deleteMessage(_ message: Identifier, from room: Identifier, in writer: any Writer) throws

  /// Puts a message of the domain's own into a room, in the caller's transaction: what has happened is seen there at the same
  /// commit, or not at all. Bans and slow mode are not asked; the caller has judged its author and its text.
  /// - Returns: `msg_…`.
  /// - Throws: `KitError.notFound`; `.wrongState` for a room that is closed.
  func post(_ message: RoomMessage, in room: Identifier, _ writer: any Writer) throws -> Identifier

  /// Bars a user from posting, with all accounts on the devices that the user has signed in on, or tries to post on later. A
  /// ban of somebody who is banned gives it a new end. It ends with the account: of one that is erased nothing is kept, not
  /// even which devices were its own.
  /// - Parameter until: when it ends; nil for never.
  /// - Throws: `KitError.selfTarget` for the room's owner; `.notFound` for an unknown user, and for one whose erasure has
  ///   begun.
  func ban(_ user: Identifier, from room: Identifier, until: Instant?, in writer: any Writer) throws

  /// Ends a user's ban, and that of the devices. A repeat changes nothing.
  func unban(_ user: Identifier, from room: Identifier, in writer: any Writer) throws

  /// Carries one chat stream, until the client half-closes, the room closes or the call ends.
  ///
  /// - Parameters:
  ///   - first: the first frame of the client, which the caller has read to learn which room is meant.
  ///   - access: by what the caller may be there.
  /// - Throws: `KitError.notFound` for strangers, `.invalid` for frames out of order, the errors of resume tokens.
  func converse(
    in room: Identifier, access: RoomAccess, first: ClientFrame, over frames: ChatFrames, _ context: ServerContext
  ) async throws
}

/// What kind of room.
public enum RoomKind: Int64, Sendable {
  case ride = 1
  case live = 2
  case support = 3
  case thread = 4
}

/// A room to be opened.
public struct RoomPlan: Sendable {
  public var kind: RoomKind
  /// The printed id of what the room is about.
  public var subject: String
  public var members: [Identifier]
  /// Whose it is; nil for nobody's.
  public var owner: Identifier?
  /// Nil for those that are usual in rooms of this kind.
  public var rules: RoomRules?

  public init(
    _ kind: RoomKind, about subject: String, members: [Identifier], owner: Identifier? = nil,
    rules: RoomRules? = nil
  ) {
    self.kind = kind
    self.subject = subject
    self.members = members
    self.owner = owner
    self.rules = rules
  }
}

/// What holds for posts in a room.
public struct RoomRules: Sendable, Equatable {
  /// The least time between two posts of one author; nil for none.
  public var slowMode: Duration?

  public init(slowMode: Duration? = nil) {
    self.slowMode = slowMode
  }
}

/// A message that a domain itself puts into a room.
public struct RoomMessage: Sendable, Equatable {
  /// What a domain can put there. The values are those of `octet.chat.v1.MessageKind`.
  public enum Kind: Int64, Sendable {
    /// Somebody has given something to whom the room is about.
    case gift = 2
    /// The server says what has happened.
    case system = 3
  }

  public var kind: Kind
  /// Who is shown as having said it; nil for nobody.
  public var author: Identifier?
  /// At most as long as a post; can be empty.
  public var text: String
  /// What it is about, such as the gift.
  public var about: SubjectID?

  public init(_ kind: Kind, by author: Identifier? = nil, text: String = "", about: SubjectID? = nil) {
    (self.kind, self.author, self.text, self.about) = (kind, author, text, about)
  }
}

/// A room as others may know it.
public struct RoomState: Sendable, Equatable {
  public let id: Identifier
  public let isClosed: Bool

  public init(id: Identifier, isClosed: Bool) {
    self.id = id
    self.isClosed = isClosed
  }
}

/// By what somebody may be on a stream.
public enum RoomAccess: Sendable {
  /// As a member.
  case member
  /// By a right that was judged elsewhere, such as that of staff.
  case visitor
  /// By what the room's kind asks, judged again at each post and each push: those who may see its subject in a room
  /// about a live stream or a thread, its user and support in a support room, members in others.
  case ofKind
}

/// A row of a stream is a request of its own; the generator knows only those of whole calls as such.
extension RoomPost: MutatingRequest {
  public var requestID: String { post?.requestID ?? deed?.requestID ?? "" }
  public var actedOnID: String { roomID }
}

extension ClientFrame {
  fileprivate var requestID: String? {
    switch frame {
    case .hearts(let hearts): hearts.requestID
    case .startPoll(let poll): poll.requestID
    case .vote(let vote): vote.requestID
    case .closePoll(let end): end.requestID
    case .post(let post): post.requestID
    case .join, nil: nil
    }
  }
}

/// Where texts go that people have to look at. The social domain's moderation implements it.
public protocol ReviewQueue: Sendable {
  /// Puts a text in the queue in the transaction that shows it, unless its score says that it is harmless.
  /// - Parameters:
  ///   - subject: the thing that has the text, such as `msg_…`.
  ///   - author: who wrote it.
  func review(_ subject: SubjectID, by author: Identifier, _ score: ToxicityScore, in writer: any Writer) throws

  /// Takes a text out of the queue, if it is there, right after the transaction that deletes the text. Of a thing that is
  /// `gone` this comes by itself.
  func withdraw(_ subject: SubjectID, in writer: any Writer) throws
}

/// How a domain's own method carries chat frames: its messages wrap them.
public struct ChatFrames: Sendable {
  /// The client's next frame; nil when it has half-closed.
  public let receive: @Sendable () async throws -> ClientFrame?
  /// Sends a frame. From any task.
  public let send: @Sendable (ServerFrame) async throws -> Void
  /// Sends the frame that `beat` makes whenever it is time for a heartbeat, and ends a stream that has lost sight of what it
  /// is about, until the returned function is called.
  public let keepAlive:
    @Sendable (
      _ kit: Kit, _ context: ServerContext, _ sight: Sight?, _ beat: @escaping @Sendable () -> ServerFrame
    ) -> @Sendable () -> Void

  /// - Parameters:
  ///   - unwrap: the frame in a message of the client; throws if there is none.
  ///   - wrap: the message around a frame of the server.
  public init<Request: Message, Response: Message>(
    _ requests: RequestReader<Request>, _ responses: ResponseWriter<Response>,
    unwrap: @escaping @Sendable (Request) throws -> ClientFrame,
    wrap: @escaping @Sendable (ServerFrame) -> Response
  ) {
    receive = { try await requests.next().map(unwrap) }
    send = { try await responses.write(wrap($0)) }
    keepAlive = { kit, context, sight, beat in
      let heart = Heart(kit, context, responses.sink) { wrap(beat()) }
      heart.start(over: sight)
      return { heart.stop() }
    }
  }
}
