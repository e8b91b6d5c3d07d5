public import Base
public import ChatAPI
public import ProtobufRuntime
public import RPC
public import Storage

/// Rooms that people talk in. The chat domain implements it; other domains open rooms beside their own objects.
public protocol Rooms: Sendable {
  /// Opens a room in the caller's transaction. If the subject has one of that kind that is open, that one gets the
  /// members.
  func open(_ plan: RoomPlan, in writer: any Writer) throws -> Identifier

  /// Says who is in the room from now on. Streams of those who were and are not any more end with NOT_FOUND.
  func setMembers(_ room: Identifier, to members: [Identifier], in writer: any Writer) throws

  /// Closes a room for good; its streams end with OK. Closing a closed one changes nothing.
  func close(_ room: Identifier, in writer: any Writer) throws

  /// The newest room of a subject; nil if it never had one.
  func room(_ kind: RoomKind, about subject: String, in reader: any Reader) throws -> RoomState?

  /// Carries one chat stream, until the client half-closes, the room closes or the call ends.
  ///
  /// - Parameters:
  ///   - first: the first frame of the client, which the caller has read to learn which room is meant.
  ///   - access: whether the caller must be a member.
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
  /// The least time between two posts of one author; nil for none.
  public var slowMode: Duration?

  public init(_ kind: RoomKind, about subject: String, members: [Identifier], slowMode: Duration? = nil) {
    self.kind = kind
    self.subject = subject
    self.members = members
    self.slowMode = slowMode
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

/// Who may be on a stream.
public enum RoomAccess: Sendable {
  /// Members only.
  case member
  /// Somebody whose right was judged elsewhere, such as staff.
  case visitor
}

/// A row of a stream is a request of its own; the generator knows only those of whole calls as such.
extension Post: MutatingRequest {}

/// How a domain's own method carries chat frames: its messages wrap them.
public struct ChatFrames: Sendable {
  /// The client's next frame; nil when it has half-closed.
  public let receive: @Sendable () async throws -> ClientFrame?
  /// Sends a frame. From any task.
  public let send: @Sendable (ServerFrame) async throws -> Void
  /// Sends the frame that `beat` makes whenever it is time for a heartbeat, until the returned function is called.
  public let keepAlive: @Sendable (_ beat: @escaping @Sendable () -> ServerFrame) -> @Sendable () -> Void

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
    keepAlive = { beat in
      let heart = Heart(responses.sink) { wrap(beat()) }
      heart.start()
      return { heart.stop() }
    }
  }
}
