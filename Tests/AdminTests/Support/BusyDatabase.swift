import Base
import Storage

@testable import Admin

/// Whoever changes something waits for longer than the database may be silent.
struct BusyDatabase: Database {
  let engine: any Database
  let clock: ManualClock

  init(_ engine: any Database, _ clock: ManualClock) { (self.engine, self.clock) = (engine, clock) }

  func read<Result: Sendable>(_ body: @escaping @Sendable (any Reader) throws -> Result) async throws -> Result {
    try await engine.read(body)
  }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    clock.advance(by: QueueLimits().longestSilence + .seconds(1))
    return try await engine.write(body)
  }

  var waiting: (reads: Int, writes: Int) { engine.waiting }
  var writeRefusal: StorageError? { engine.writeRefusal }
  func schemaText() async throws -> String { try await engine.schemaText() }
  func scrub() async throws { try await engine.scrub() }
  func close() async { await engine.close() }
}
