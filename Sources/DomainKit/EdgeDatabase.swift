import Base
import Storage

/// A database whose errors clients understand: an engine that is busy is UNAVAILABLE, not a bug.
struct EdgeDatabase: Database {
  let engine: any Database

  func read<Result: Sendable>(_ body: @escaping @Sendable (any Reader) throws -> Result) async throws -> Result {
    do {
      return try await engine.read(body)
    } catch {
      throw Self.translated(error)
    }
  }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    do {
      return try await engine.write(body)
    } catch {
      throw Self.translated(error)
    }
  }

  func schemaText() async throws -> String { try await engine.schemaText() }

  func close() async { await engine.close() }

  private static func translated(_ error: any Error) -> any Error {
    switch error {
    case IdempotencyError.requestIDReused: KitError.requestIDReused
    case let error as StorageError where error.isTransient: KitError.overloaded
    default: error
    }
  }
}
