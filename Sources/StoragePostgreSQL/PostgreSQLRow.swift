internal import CPostgreSQL
internal import Storage

/// One row of a result in the binary format. Valid while the result is.
final class PostgreSQLRow: Row {
  /// Types by their object identifiers (src/include/catalog/pg_type.dat): fixed for all servers.
  enum TypeID {
    static let bool: Oid = 16
    static let bytea: Oid = 17
    static let char: Oid = 18
    static let name: Oid = 19
    static let int8: Oid = 20
    static let int2: Oid = 21
    static let int4: Oid = 23
    static let text: Oid = 25
    static let oid: Oid = 26
    static let float4: Oid = 700
    static let float8: Oid = 701
    static let unknown: Oid = 705
    static let bpchar: Oid = 1042
    static let varchar: Oid = 1043
    static let numeric: Oid = 1700
  }

  private let result: OpaquePointer
  private let sql: String
  var row: Int32 = 0
  private(set) var mismatch: StorageError?

  init(_ result: OpaquePointer, sql: String) {
    self.result = result
    self.sql = sql
  }

  func isNull(_ column: Int) -> Bool {
    PQgetisnull(result, row, Int32(column)) != 0
  }

  func integer(_ column: Int) -> Int64 {
    let bytes = bytes(column)
    switch PQftype(result, Int32(column)) {
    case _ where isNull(column): return mismatched(column, "integer", 0)
    case TypeID.int8, TypeID.int4, TypeID.int2: return Self.signed(bytes)
    case TypeID.oid, TypeID.bool: return Int64(truncatingIfNeeded: Self.unsigned(bytes))
    case TypeID.numeric:
      // Sums of integers are numeric.
      guard let value = Self.numeric(bytes), let integer = Int64(exactly: value) else {
        return mismatched(column, "integer", 0)
      }
      return integer
    default: return mismatched(column, "integer", 0)
    }
  }

  func double(_ column: Int) -> Double {
    let bytes = bytes(column)
    switch PQftype(result, Int32(column)) {
    case _ where isNull(column): return mismatched(column, "double", 0)
    case TypeID.float8: return Double(bitPattern: Self.unsigned(bytes))
    case TypeID.float4: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: Self.unsigned(bytes))))
    case TypeID.int8, TypeID.int4, TypeID.int2: return Double(Self.signed(bytes))
    case TypeID.numeric: return Self.numericAsDouble(bytes)
    default: return mismatched(column, "double", 0)
    }
  }

  func text(_ column: Int) -> String {
    switch PQftype(result, Int32(column)) {
    case _ where isNull(column): return mismatched(column, "text", "")
    case TypeID.text, TypeID.varchar, TypeID.name, TypeID.bpchar, TypeID.char, TypeID.unknown:
      return String(decoding: bytes(column), as: UTF8.self)
    default: return mismatched(column, "text", "")
    }
  }

  func blob(_ column: Int) -> [UInt8] {
    guard !isNull(column), PQftype(result, Int32(column)) == TypeID.bytea else { return mismatched(column, "blob", []) }
    return Array(bytes(column))
  }

  private func bytes(_ column: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: PQgetvalue(result, row, Int32(column)), count: Int(PQgetlength(result, row, Int32(column))))
  }

  private func mismatched<Value>(_ column: Int, _ wanted: String, _ value: Value) -> Value {
    let found = isNull(column) ? "NULL" : "type \(PQftype(result, Int32(column)))"
    mismatch = StorageError(
      .typeMismatch, operation: "column",
      message: "column \(column) of \(PQnfields(result)) has \(found), read as \(wanted)", sql: sql)
    return value
  }

  private static func unsigned(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func signed(_ bytes: UnsafeRawBufferPointer) -> Int64 {
    let unused = 64 - 8 * bytes.count
    return Int64(bitPattern: unsigned(bytes) << unused) >> unused
  }

  // MARK: Numeric

  /// The parts of a numeric: digits of base 10,000, the first of which counts 10,000^weight.
  private struct Digits {
    var weight = 0
    var isNegative = false
    var digits: [Int64] = []

    /// - Returns: nil for NaN and infinities, and for what is not a numeric at all.
    init?(_ bytes: UnsafeRawBufferPointer) {
      guard bytes.count >= 8 else { return nil }
      func short(_ index: Int) -> UInt16 { UInt16(bytes[2 * index]) << 8 | UInt16(bytes[2 * index + 1]) }
      let count = Int(short(0))
      guard bytes.count == 8 + 2 * count, short(2) == 0 || short(2) == 0x4000 else { return nil }
      weight = Int(Int16(bitPattern: short(1)))
      isNegative = short(2) != 0
      digits = (0..<count).map { Int64(short(4 + $0)) }
    }
  }

  /// The value of an integral numeric that fits.
  private static func numeric(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    guard let parts = Digits(bytes) else { return nil }
    guard
      parts.digits.count <= parts.weight + 1 || parts.digits.dropFirst(max(parts.weight + 1, 0)).allSatisfy({ $0 == 0 })
    else { return nil }
    var value: Int64 = 0
    for index in 0..<max(parts.weight + 1, 0) {
      let digit = index < parts.digits.count ? parts.digits[index] : 0
      let (product, overflows) = value.multipliedReportingOverflow(by: 10_000)
      let (next, overflowsToo) = product.subtractingReportingOverflow(digit)
      if overflows || overflowsToo { return nil }
      value = next
    }
    // Gathered below zero, where there is one more number.
    if parts.isNegative { return value }
    let (positive, overflows) = Int64(0).subtractingReportingOverflow(value)
    return overflows ? nil : positive
  }

  private static func numericAsDouble(_ bytes: UnsafeRawBufferPointer) -> Double {
    guard let parts = Digits(bytes) else { return .nan }
    var text = parts.isNegative ? "-0." : "0."
    for digit in parts.digits { text += String(String(digit + 10_000).dropFirst()) }
    return Double(text + "e\(4 * (parts.weight + 1))") ?? .nan
  }
}
