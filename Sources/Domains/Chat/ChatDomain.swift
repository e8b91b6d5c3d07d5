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
  public let rooms: any Rooms

  /// - Parameter people: tells how authors are shown.
  public init(kit: Kit, people: any People) {
    rooms = ChatRooms(kit: kit, people: people)
  }

  public func register(in registry: inout ServiceRegistry) {}
}
