public import DomainKit
public import RPC
import SearchAPI
public import Storage

/// Finds the things of all domains by their words.
///
///     let search = SearchDomain(kit: kit, timers: timers)
///     kit.findables.link(to: search.findables)
///     search.register(kinds: domains.flatMap(\.findables))
public struct SearchDomain: Domain {
  public static let name = "search"
  public static var migrations: [Migration] { SearchSchema.migrations + SearchTables.migrations }
  public static var descriptors: [[UInt8]] { [SearchAPIDescriptors.serializedFileDescriptorSet] }

  let core: SearchCore
  let rebuild: Rebuild

  /// Sets the handler of its timer, so `timers` must not have been started.
  public init(kit: Kit, timers: Timers) {
    core = SearchCore(kit: kit)
    rebuild = Rebuild(core: core, timers: timers)
    rebuild.handle()
  }

  /// Keeps the index in step with the domains' rows.
  public var findables: any Findables { core }

  /// Adds kinds of things. Before `start`.
  public func register(kinds: [any FindableKind]) { core.register(kinds) }

  public var sweeps: [any Sweep] { [SearchUpkeep(core: core)] }

  public func register(in registry: inout ServiceRegistry) {
    SearchHandlers(core: core, rebuild: rebuild).register(in: &registry)
  }

  /// Begins to build the index anew if this server has kinds of things that it lacks.
  public func start() async throws { try await rebuild.beginIfNeeded() }

  public func checkInvariants() async throws -> [InvariantCheck] {
    try await core.kit.checkOnSnapshot { [core] in try SearchAudit(core: core, reader: $0).reports() }
  }
}
