import Base
import ChatAPI
public import DomainKit
public import RPC
public import Storage
public import Streaming

/// Talking: rooms for all domains.
public struct ChatDomain: Domain {
  public static let name = "chat"
  public static var migrations: [Migration] { ChatSchema.migrations }
  public static var descriptors: [[UInt8]] { [ChatAPIDescriptors.serializedFileDescriptorSet] }
  public static var noticeKinds: [NoticeKind] { [messageNotice] }

  /// Says no more than that: what was said stays in the room, where it can be deleted and erased.
  static let messageNotice = NoticeKind(
    "chat.message", ways: [.push],
    words: [
      "en": NoticeWords("You have new messages"), "de": NoticeWords("Sie haben neue Nachrichten"),
      "fr": NoticeWords("Vous avez de nouveaux messages"), "es": NoticeWords("Tiene mensajes nuevos"),
    ])

  private let chat: ChatRooms
  private let goneRooms: GoneRooms?
  private let background = BackgroundLoop()
  /// How long what another node has counted may go untold.
  private static let lookInterval = Duration.seconds(1)

  /// What other domains open rooms with.
  public var rooms: any Rooms { chat }

  /// See `ChatRooms`.
  /// - Parameter jobs: takes files from rooms whose things are gone; needed with `files`.
  public init(
    kit: Kit, people: any People, notices: any Notices, scorer: any ToxicityScorer, reviews: (any ReviewQueue)? = nil,
    files: (any Files)? = nil, jobs: Jobs? = nil, limits: ChatLimits = ChatLimits(),
    pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    precondition(files == nil || jobs != nil, "files would be kept for ever")
    chat = ChatRooms(
      kit: kit, people: people, notices: notices, scorer: scorer, reviews: reviews, files: files,
      limits: limits, pause: pause)
    if let jobs { goneRooms = GoneRooms(rooms: chat, jobs: jobs) } else { goneRooms = nil }
  }

  public var jobs: [JobDeclaration] { goneRooms.map { [$0.declaration] } ?? [] }

  public var topicRetention: [String: TopicRetention] { [IDKind.room: TopicRetention(age: chat.limits.eventRetention)] }

  public var subjects: [any SubjectKind] { [RoomSubject(rooms: chat), MessageSubject(rooms: chat)] }

  /// Ends streams in rooms about what has become hidden, and closes those about what is gone.
  public var observer: any SubjectObserver { RoomWatchers(rooms: chat, goneRooms: goneRooms) }

  public var sweeps: [any Sweep] { [SupportSilence(rooms: chat), LostStreams(rooms: chat)] }

  public var personalRecords: (any PersonalRecords)? { ChatRecords(rooms: chat) }

  public func start() async {
    // Alone, a node knows of all changes as they commit.
    guard let others = chat.kit.others else { return }
    background.start { [background, chat] in
      var watch = ChangeWatch(chat.counts, chat.kit, read: CountState.states)
      while !background.isStopping {
        await others.look(for: "room counts") { try await watch.look() }
        await background.pause(atMost: Self.lookInterval)
      }
    }
  }

  public func stop() async { await background.stop() }

  public func checkInvariants() async throws -> [InvariantCheck] {
    let kit = chat.kit
    return try await kit.checkOnSnapshot { reader in
      try ChatAudit(reader: reader, subjects: kit.subjects, community: kit.community).reports()
    }
  }

  public func register(in registry: inout ServiceRegistry) { ChatHandlers(rooms: chat).register(in: &registry) }
}
