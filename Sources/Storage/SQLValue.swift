public import Base

/// A value bound to a statement.
public enum SQLValue: Sendable, Hashable {
  case null
  case integer(Int64)
  case double(Double)
  case text(String)
  case blob([UInt8])
}

/// A type whose values can be arguments of a statement.
public protocol SQLBindable {
  var sqlValue: SQLValue { get }
}

extension SQLValue: SQLBindable {
  @inlinable public var sqlValue: SQLValue { self }
}

extension Int64: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .integer(self) }
}

extension Int32: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .integer(Int64(self)) }
}

extension UInt32: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .integer(Int64(self)) }
}

extension Int: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .integer(Int64(self)) }
}

/// Sequence numbers and counts; more than 2⁶³ − 1 traps, as it can only be a bug.
extension UInt64: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .integer(Int64(self)) }
}

/// 0 or 1 in an INTEGER column.
extension Bool: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .integer(self ? 1 : 0) }
}

extension Double: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .double(self) }
}

extension String: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .text(self) }
}

extension [UInt8]: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .blob(self) }
}

/// Nanoseconds since the Unix epoch in an INTEGER column.
extension Instant: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .integer(nanoseconds) }
}

extension Identifier: SQLBindable {
  @inlinable public var sqlValue: SQLValue { .integer(rawValue) }
}

extension Optional: SQLBindable where Wrapped: SQLBindable {
  @inlinable public var sqlValue: SQLValue { self?.sqlValue ?? .null }
}
