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

  /// - Parameter pause: waits between two looks of a watch; tests say when it goes on.
  public init(
    kit: Kit, timers: Timers,
    pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    handlers = JobHandlers(kit: kit, timers: timers, pause: pause)
  }

  public func register(in registry: inout ServiceRegistry) { handlers.register(in: &registry) }
}
