internal import Base
internal import CPostgreSQL
internal import Storage

/// The arguments of a statement in the binary format.
struct ArgumentList {
  /// Bits of a signature for each argument.
  private static let bitsPerType = 3
  /// The signature of more arguments than this is a hash.
  private static let mostPacked = 21

  private(set) var types: [Oid] = []
  private var bytes: [UInt8] = []
  /// Where each argument's bytes are; nil for NULL.
  private var ranges: [Range<Int>?] = []

  /// Which types the arguments have; runs of one text with other types are of other prepared statements. Nil if NULLs are
  /// among many arguments, as those of a batch of rows: each pattern of them would be a statement that is seldom run
  /// again.
  private(set) var signature: UInt64? = 1

  var count: Int { types.count }

  var byteCount: Int { bytes.count }

  init(_ arguments: [SQLValue]) {
    types.reserveCapacity(arguments.count)
    ranges.reserveCapacity(arguments.count)
    for argument in arguments { append(argument) }
    // A byte at the end, so that an empty text has an address, which tells it from NULL.
    bytes.append(0)
    if arguments.count > Self.mostPacked { signature = Self.hash(of: types) }
  }

  private static func hash(of types: [Oid]) -> UInt64? {
    if types.contains(0) { return nil }
    var hash = StableHash()
    // Their last octets tell the types of arguments apart.
    hash.combine(types.lazy.map { UInt8(truncatingIfNeeded: $0) })
    return UInt64(bitPattern: hash.value)
  }

  private mutating func append(_ argument: SQLValue) {
    let start = bytes.count
    switch argument {
    case .null:
      // The server finds out what it would be.
      add(0, kind: 0)
      return ranges.append(nil)
    case .integer(let value):
      add(PostgreSQLRow.TypeID.int8, kind: 1)
      appendBigEndian(UInt64(bitPattern: value))
    case .double(let value):
      add(PostgreSQLRow.TypeID.float8, kind: 2)
      appendBigEndian(value.bitPattern)
    case .text(let text):
      add(PostgreSQLRow.TypeID.text, kind: 3)
      bytes += text.utf8
    case .blob(let blob):
      add(PostgreSQLRow.TypeID.bytea, kind: 4)
      bytes += blob
    }
    ranges.append(start..<bytes.count)
  }

  private mutating func add(_ type: Oid, kind: UInt64) {
    types.append(type)
    signature = signature.map { $0 << Self.bitsPerType | kind }
  }

  private mutating func appendBigEndian(_ value: UInt64) {
    for shift in stride(from: UInt64(56), through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  /// Calls `body` with pointers to the arguments, their lengths, and their formats, which are all binary.
  func withPointers<Result>(
    _ body: ([UnsafePointer<CChar>?], [Int32], [Int32]) -> Result
  ) -> Result {
    bytes.withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { buffer in
        // It has at least one byte.
        let base = buffer.baseAddress!
        return body(
          ranges.map { $0.map { base + $0.lowerBound } }, ranges.map { Int32($0?.count ?? 0) },
          Array(repeating: 1, count: count))
      }
    }
  }
}
