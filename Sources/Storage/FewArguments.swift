/// Writes with at most six arguments, which are nearly all: the same calls as in `Reader+Typed.swift`, but compiled where
/// they are made, with the types of the arguments known. An array of existentials, and a second one made from it, cost as
/// much as a small statement's step, and it is the writer's thread that pays for them.
///
/// An argument that is left out has the type `NoArgument`, so how many there are is known when a call is compiled.

/// Stands for an argument that a call does not give. Not for callers.
public struct NoArgument: SQLBindable {
  @inlinable
  public init() {}

  @inlinable public var sqlValue: SQLValue { .null }
}

extension Writer {
  /// Runs a statement and returns how many rows it changed. A conditional write that changes 0 rows has lost.
  @inlinable
  @inline(__always)
  @discardableResult
  public func execute<A: SQLBindable, B: SQLBindable, C: SQLBindable, D: SQLBindable, E: SQLBindable, F: SQLBindable>(
    _ sql: String, _ a: A, _ b: B = NoArgument(), _ c: C = NoArgument(), _ d: D = NoArgument(),
    _ e: E = NoArgument(), _ f: F = NoArgument()
  ) throws -> Int {
    try execute(sql, sqlValues(a, b, c, d, e, f))
  }

  /// Runs a statement whose count nobody wants: on PostgreSQL it travels with those that follow, instead of waiting for
  /// an answer of its own.
  @inlinable
  @inline(__always)
  public func send<A: SQLBindable, B: SQLBindable, C: SQLBindable, D: SQLBindable, E: SQLBindable, F: SQLBindable>(
    _ sql: String, _ a: A, _ b: B = NoArgument(), _ c: C = NoArgument(), _ d: D = NoArgument(),
    _ e: E = NoArgument(), _ f: F = NoArgument()
  ) throws {
    _ = try send(sql, sqlValues(a, b, c, d, e, f), mustChange: false)
  }

  /// The same for a statement that must change a row.
  /// - Parameter refusal: what the transaction fails with otherwise. For exceptions: see `send` of the protocol.
  @inlinable
  @inline(__always)
  public func send<A: SQLBindable, B: SQLBindable, C: SQLBindable, D: SQLBindable, E: SQLBindable, F: SQLBindable>(
    _ sql: String, _ a: A, _ b: B = NoArgument(), _ c: C = NoArgument(), _ d: D = NoArgument(),
    _ e: E = NoArgument(), _ f: F = NoArgument(), orElse refusal: @autoclosure () -> any Error
  ) throws {
    // An error is an object, even one without content: it is made when it is needed.
    guard try send(sql, sqlValues(a, b, c, d, e, f), mustChange: true) else { throw refusal() }
  }
}

/// The values of the arguments that were given.
@inlinable
@inline(__always)
func sqlValues<A: SQLBindable, B: SQLBindable, C: SQLBindable, D: SQLBindable, E: SQLBindable, F: SQLBindable>(
  _ a: A, _ b: B, _ c: C, _ d: D, _ e: E, _ f: F
) -> [SQLValue] {
  if B.self == NoArgument.self { return [a.sqlValue] }
  if C.self == NoArgument.self { return [a.sqlValue, b.sqlValue] }
  if D.self == NoArgument.self { return [a.sqlValue, b.sqlValue, c.sqlValue] }
  if E.self == NoArgument.self { return [a.sqlValue, b.sqlValue, c.sqlValue, d.sqlValue] }
  if F.self == NoArgument.self { return [a.sqlValue, b.sqlValue, c.sqlValue, d.sqlValue, e.sqlValue] }
  return [a.sqlValue, b.sqlValue, c.sqlValue, d.sqlValue, e.sqlValue, f.sqlValue]
}
