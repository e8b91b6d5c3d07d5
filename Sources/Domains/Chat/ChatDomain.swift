import ChatAPI
public import DomainKit
public import RPC
public import Storage

/// Talking: rooms for all domains.
public struct ChatDomain: Domain {
  public static let name = "chat"
  public static var migrations: [Migration] { ChatSchema.migrations }
  public static var descriptors: [[UInt8]] { [ChatAPIDescriptors.serializedFileDescriptorSet] }

  /// What other domains open rooms with.
  public var rooms: any Rooms { chat }

  private let chat: ChatRooms

  /// - Parameter people: tells how authors are shown.
  public init(kit: Kit, people: any People) {
    chat = ChatRooms(kit: kit, people: people)
  }

  public var personalRecords: (any PersonalRecords)? { ChatRecords(rooms: chat) }

  public func register(in registry: inout ServiceRegistry) {}
}
