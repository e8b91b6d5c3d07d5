public import Base

/// A type whose values can be read from a column.
public protocol SQLReadable {
  init(row: any Row, column: Int)
}

extension Row {
  /// The column as the type that the context asks for: `let id: Identifier = row[0]`, `let name: String? = row[1]`.
  @inlinable public subscript<Value: SQLReadable>(column: Int) -> Value { Value(row: self, column: column) }
}

extension Int64: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self = row.integer(column) }
}

/// Traps on a number that does not fit: only the program itself writes the column.
extension Int32: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self = Int32(row.integer(column)) }
}

/// Traps on a number that does not fit: only the program itself writes the column.
extension UInt32: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self = UInt32(row.integer(column)) }
}

extension Int: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self = Int(row.integer(column)) }
}

/// Traps on a negative number: only the program itself writes the column.
extension UInt64: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self = UInt64(row.integer(column)) }
}

extension Bool: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self = row.integer(column) != 0 }
}

extension Double: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self = row.double(column) }
}

extension String: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self = row.text(column) }
}

extension [UInt8]: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self = row.blob(column) }
}

extension Instant: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self.init(nanoseconds: row.integer(column)) }
}

extension Identifier: SQLReadable {
  @inlinable public init(row: any Row, column: Int) { self.init(rawValue: row.integer(column)) }
}

/// NULL is nil.
extension Optional: SQLReadable where Wrapped: SQLReadable {
  @inlinable public init(row: any Row, column: Int) {
    self = row.isNull(column) ? nil : Wrapped(row: row, column: column)
  }
}
