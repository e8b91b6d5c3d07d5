public import DomainKit
import JobsAPI
public import RPC
public import Storage

/// Lets staff look after the deferred work of all domains.
public struct JobsDomain: Domain {
  public static let name = "jobs"
  /// What it shows lies in tables of the storage layer.
  public static var migrations: [Migration] { [] }
  public static var descriptors: [[UInt8]] { [JobsAPIDescriptors.serializedFileDescriptorSet] }

  private let handlers: JobHandlers

  public init(kit: Kit, timers: Timers, pauses: WatchPauses = WatchPauses()) {
    handlers = JobHandlers(kit: kit, timers: timers, pauses: pauses)
  }

  /// Looks whether each job that lives can end: invariant 10, as far as rows can show it.
  public func checkInvariants() async throws -> [InvariantCheck] {
    let timers = handlers.timers
    return try await handlers.kit.checkOnSnapshot { reader in
      [
        InvariantCheck(
          number: 10, statement: "a job that lives can end: its kind is done, it has attempts left, its lease runs out",
          rowsChecked: try reader.first("SELECT COUNT(*) FROM octet_timers") { $0[0] } ?? 0,
          violations: try timers.endless(limit: InvariantCheck.shownLimit, in: reader))
      ]
    }
  }

  public func register(in registry: inout ServiceRegistry) { handlers.register(in: &registry) }
}

/// How long a watch of jobs waits between two looks at the rows.
public struct WatchPauses: Sendable {
  /// After each look, however much changes: nobody reads faster.
  public var shortest = Duration.milliseconds(100)
  /// While this node changes nothing: other nodes do not tell.
  public var longest = Duration.seconds(1)

  public init() {}
}
