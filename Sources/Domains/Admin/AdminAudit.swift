import Base
import DomainKit
import Storage

/// Looks whether what must always hold does hold.
struct AdminAudit {
  let reader: any Reader

  func reports() throws -> [InvariantCheck] {
    [
      InvariantCheck(
        number: 13, statement: "at any instant at most one row of a table key is in force",
        rowsChecked: try reader.first("SELECT COUNT(*) FROM admin_table_rows") { $0[0] } ?? 0,
        violations: try reader.rows(
          """
          SELECT b.id FROM admin_table_rows b LEFT JOIN admin_table_rows a
            ON a.table_name = b.table_name AND a.key = b.key AND a.from_at < b.from_at AND a.to_at > b.from_at
          WHERE a.id IS NOT NULL OR b.to_at < b.from_at GROUP BY b.id ORDER BY b.id
          """
        ) { ($0[0] as Identifier).text(kind: TableRecord.idKind) })
    ]
  }
}
