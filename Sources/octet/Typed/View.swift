import Glibc
import ProtobufRuntime

/// A way to show a call that suits people better than JSON, for methods that have one. `--json` does without.
enum View {
  case ride(RideTracker)
  case chat(ChatRoom)
  case inbox(InboxView)
  case table(LiveTable)

  /// The view of a method; nil if it has none or JSON is wanted.
  static func of(_ method: MethodDefinition, client: Client) -> View? {
    if client.global.wantsJSON { return nil }
    if method.fullName == RideTracker.method { return .ride(RideTracker(pool: client.pool, type: method.outputType)) }
    if method.fullName == InboxView.method { return .inbox(InboxView(client: client, type: method.outputType)) }
    if let table = LiveTable(method, pool: client.pool) { return .table(table) }
    return ChatRoom(method, pool: client.pool).map { .chat($0) }
  }

  /// Makes the call and shows it.
  func run(_ runner: CallRunner, _ request: JSONText?) async throws {
    switch self {
    case .ride(let tracker): try await tracker.run(runner, request)
    case .chat(let room): try await room.run(runner, request)
    case .inbox(let inbox): try await inbox.run(runner, request)
    case .table(let table): try await table.run(runner, request)
    }
  }
}
