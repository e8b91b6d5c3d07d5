import Base
import DomainKit
import Storage

/// Compares the index with the things that the domains have, on one snapshot.
struct SearchAudit {
  let core: SearchCore
  let reader: any Reader

  private static let atOnce = 512

  func reports() throws -> [InvariantCheck] {
    let live = try Generation.live(in: reader)
    var (checked, wrong) = (0, [String]())
    for prefix in core.prefixes.intersection(live.kinds).sorted() {
      guard let kind = core.kind(prefix) else { continue }
      var after = Identifier(rawValue: 0)
      while case let ids = try kind.things(after: after, limit: Self.atOnce, in: reader), let last = ids.last {
        for id in ids where try !isRight(id, kind, live.number) { wrong.append(id.text(kind: prefix)) }
        (after, checked) = (last, checked + ids.count)
      }
    }
    return [
      InvariantCheck(
        number: 11, statement: "what is found is what the domains' rows say", rowsChecked: checked,
        violations: wrong + (try orphans(live.number)) + (try strays(live.number)))
    ]
  }

  private func isRight(_ id: Identifier, _ kind: any FindableKind, _ generation: Int64) throws -> Bool {
    let digest: [UInt8]? = try reader.first(
      "SELECT digest FROM search_rows WHERE document = $1 AND generation = $2", id, generation
    ) { $0[0] }
    let index = core.index(generation)
    guard let entry = try kind.entry(of: id, in: reader) else {
      return try digest == nil && !index.holds(id.rawValue, in: reader)
    }
    return try digest == entry.digest && index.holds(entry.document(id, kind.prefix), in: reader)
  }

  /// Documents of the index without a row, of which nobody knows what they are.
  private func strays(_ generation: Int64) throws -> [String] {
    let index = core.index(generation)
    var wrong: [String] = []
    var last = Int64.min
    while wrong.count < InvariantCheck.shownLimit {
      let page = try index.documents(after: last, limit: Self.atOnce, in: reader)
      guard let end = page.last else { break }
      let known: [Int64] = try reader.rows(
        "SELECT document FROM search_rows WHERE generation = $1 AND document > $2 AND document <= $3", generation, last,
        end
      ) { $0[0] }
      wrong += Set(page).subtracting(known).sorted().map { Identifier(rawValue: $0).text(kind: "document") }
      last = end
    }
    return wrong
  }

  /// Rows of things that are gone.
  private func orphans(_ generation: Int64) throws -> [String] {
    var wrong: [String] = []
    var after = Identifier(rawValue: .min)
    while true {
      let rows: [(id: Identifier, kind: String)] = try reader.rows(
        "SELECT document, kind FROM search_rows WHERE generation = $1 AND document > $2 ORDER BY document LIMIT $3",
        generation, after, Self.atOnce
      ) { ($0[0], $0[1]) }
      guard let last = rows.last else { return wrong }
      for (id, prefix) in rows where try core.kind(prefix).map({ try $0.entry(of: id, in: reader) == nil }) ?? false {
        wrong.append(id.text(kind: prefix))
      }
      after = last.id
    }
  }
}
