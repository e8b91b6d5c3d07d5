import Base
import DomainKit
import Storage

/// What one node was measured to bear, as staff keeps it.
enum NodeRates {
  static let perSecond = DatedColumn<Int64>(
    "per_second", "How many of them one node bears in a second. 0: nobody has measured it.", standard: 0,
    in: 0...1_000_000_000_000)
  static let table = TableDefinition(
    "admin.node_rates", "What one node of this installation bears, for estimates of capacity.",
    key: "writes or reads", columns: [perSecond])

  /// The rate that is in force; 0 for none.
  static func measured(_ what: String, at now: Instant, _ tables: any Tables, in reader: any Reader) throws -> Int64 {
    try tables.row(what, of: table, at: now, in: reader).map { $0[perSecond] } ?? 0
  }
}
