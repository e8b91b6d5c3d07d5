import Base
import Cryptography
import DomainKit
import Storage

/// A row of `audit_heads`: a signed end of the chain.
struct HeadRow: Sendable, Equatable {
  let number: Int64
  let hash: [UInt8]
  let signedAt: Instant
  let signature: [UInt8]

  static let columns = "number, hash, signed_at, signature"

  init(_ row: any Row) {
    number = row[0]
    hash = row[1]
    signedAt = row[2]
    signature = row[3]
  }

  init(_ end: ChainEnd, at now: Instant, key: SigningKey) {
    number = end.number
    hash = end.hash
    signedAt = now
    signature = key.sign(Self.message(number, hash, now))
  }

  func isSigned(by publicKey: [UInt8]) -> Bool {
    SigningKey.isValid(signature, of: Self.message(number, hash, signedAt), publicKey: publicKey)
  }

  func insert(in writer: any Writer) throws {
    try writer.send(
      "INSERT INTO audit_heads (\(Self.columns)) VALUES ($1, $2, $3, $4)", number, hash, signedAt, signature)
  }

  static func newest(in reader: any Reader) throws -> HeadRow? {
    try reader.first("SELECT \(columns) FROM audit_heads ORDER BY number DESC LIMIT 1", make: HeadRow.init)
  }

  private static func message(_ number: Int64, _ hash: [UInt8], _ at: Instant) -> [UInt8] {
    Array("octet audit head 1\0".utf8) + number.bigEndianBytes + at.nanoseconds.bigEndianBytes + hash
  }
}
