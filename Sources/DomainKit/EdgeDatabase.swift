import Base
import RPC
public import Storage

/// A database whose errors clients understand: an engine that is busy or closed is UNAVAILABLE, not a bug, and so is a
/// full disk.
///
/// For all that calls go through: the kit, the hub, the authority.
public struct EdgeDatabase: Database {
  private let engine: any Database

  public init(_ engine: any Database) {
    self.engine = engine
  }

  public func read<Result: Sendable>(_ body: @escaping @Sendable (any Reader) throws -> Result) async throws -> Result {
    do {
      return try await CallWaits.storage { try await engine.read(body) }
    } catch {
      throw Self.translated(error)
    }
  }

  public func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result
  {
    do {
      return try await CallWaits.storage { try await engine.write(body) }
    } catch {
      throw Self.translated(error)
    }
  }

  public func write<Result: Sendable>(
    serving key: RequestKey, _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result {
    do {
      return try await CallWaits.storage { try await engine.write(serving: key, body) }
    } catch {
      throw Self.translated(error)
    }
  }

  public var waiting: (reads: Int, writes: Int) { engine.waiting }

  public var writeRefusal: StorageError? { engine.writeRefusal }

  public func schemaText() async throws -> String { try await engine.schemaText() }

  public func scrub() async throws {
    do {
      try await engine.scrub()
    } catch {
      throw Self.translated(error)
    }
  }

  public func close() async { await engine.close() }

  /// A database that is busy or cannot be reached is `KitError.overloaded`, one that is full a `StorageFault`: both are
  /// `ExcusableError`s, as what they stand for.
  private static func translated(_ error: any Error) -> any Error {
    switch error {
    case IdempotencyError.requestIDReused: KitError.requestIDReused
    case let error as StorageError where error.code == .invalidText: KitError.invalidText
    case let error as StorageError where error.isTransient || error.code == .closed: KitError.overloaded
    case let error as StorageError: StorageFault(error) ?? error
    default: error
    }
  }
}

extension KitError: ExcusableError {
  public var isExcused: Bool { if case .overloaded = self { true } else { false } }
}
