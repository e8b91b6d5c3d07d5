/// The text of a statement, as a key under which an engine keeps it prepared. Hashing all of a text of some hundred bytes
/// took longer than finding it: the length and some bytes tell texts apart well enough, and equal texts mostly share
/// their storage.
package struct StatementText: Hashable {
  private static let samples = 16

  package let sql: String

  package init(sql: String) {
    self.sql = sql
  }

  package func hash(into hasher: inout Hasher) {
    let bytes = sql.utf8.span
    // Mixed before they are hashed (FNV-1a), as hashing costs by the value.
    var mixed = UInt64(bytes.count)
    for index in stride(from: 0, to: bytes.count, by: bytes.count / Self.samples + 1) {
      mixed = (mixed ^ UInt64(bytes[index])) &* 0x100_0000_01b3
    }
    hasher.combine(mixed)
  }
}
