internal import Base
internal import Foundation

/// Merges segments of one size into a larger one, so that a query meets few of them, removes what nobody reads any more,
/// and spreads the words of large batches. Without it every word is found too, but more slowly with each thousand
/// documents.
extension SearchIndex: Sweep {
  /// Rows of each table in a transaction, a megabyte: some 5 ms.
  static let rowsAtOnce = 512
  /// After this a merge counts as given up, and what it was to replace is merged by others.
  private static let patience = Duration.seconds(600)
  /// So long the rows of replaced segments stay, for transactions that have seen them and do not read a snapshot.
  static let keeping = Duration.seconds(60)
  /// A segment of which one document in so many is dead is made anew.
  private static let deadShare = 4

  /// Most of a piece is a reader's work. Each segment that is not merged makes every query slower, so merging may take
  /// half of one processor's time.
  public var restFactor: Int { 1 }

  public func step(_ database: any Database) async throws -> Bool {
    if try await spreadNewWords(database) { return true }
    if try await forgetPast(database) { return true }
    var underWay = merging.withLock { merge in
      defer { merge = nil }
      return merge
    }
    if underWay == nil {
      if try await removeRetired(database) { return true }
      underWay = try await begin(database)
    }
    guard var merge = underWay else { return false }
    if merge.rows.count < Self.rowsAtOnce {
      let before = merge
      merge = try await database.read { reader in
        var merge = before
        try merge.makeRows(upTo: Self.rowsAtOnce, reader)
        return merge
      }
    }
    let rows = merge.rows.take(Self.rowsAtOnce)
    if rows.count == 0 {
      try await finish(merge, database)
    } else if try await write(rows, to: merge.target, database) {
      let next = merge
      merging.withLock { $0 = next }
    }
    return true
  }

  private func begin(_ database: any Database) async throws -> SearchMerge? {
    try await giveUp(database)
    let chosen = try await database.read { [self] in choose(try segments($0), claimed: try claimed($0)) }
    if chosen.isEmpty { return nil }
    let isClaimed = try await database.write { [self] writer -> Int64? in
      let target = makeSegmentID()
      let added = try writer.execute(
        """
        INSERT INTO octet_search_segments (segment, collection, state, documents, lowest, highest, target, changed_at)
        VALUES ($1, $2, 0, 0, 0, 0, 0, $3) ON CONFLICT DO NOTHING
        """, target, collection, clock.now())
      if added == 0 { throw RetryTransaction() }
      for segment in chosen.map(\.id).sorted() {
        let won = try writer.execute(
          "UPDATE octet_search_segments SET target = $2 WHERE segment = $1 AND state = 1 AND target = 0", segment,
          target)
        // Another node was faster; it has claimed the others too.
        if won == 0 {
          try writer.send("UPDATE octet_search_segments SET target = 0 WHERE target = $1", target)
          try writer.send("DELETE FROM octet_search_segments WHERE segment = $1", target)
          return nil
        }
      }
      return target
    }
    guard let target = isClaimed else { return nil }
    return try await database.read { [self] reader in
      // The dead as they are now.
      let ids = Set(chosen.map(\.id))
      let inputs = try segments(reader).filter { ids.contains($0.id) }.map { segment in
        (segment, try documents(of: segment, reader), try numbers(of: segment, reader))
      }
      return SearchMerge(target: target, inputs, self)
    }
  }

  private func claimed(_ reader: any Reader) throws -> Set<Int64> {
    Set(
      try reader.rows(
        "SELECT segment FROM octet_search_segments WHERE collection = $1 AND state = 1 AND target <> 0", collection
      ) { $0[0] as Int64 })
  }

  /// The oldest segments of a size of which there are enough, the smallest size first; else one with many dead.
  private func choose(_ segments: [SearchSegment], claimed: Set<Int64>) -> [SearchSegment] {
    let free = segments.filter { !claimed.contains($0.id) }
    let sizes = Dictionary(grouping: free) { segment -> Int in
      let times = Double(max(segment.documents, shape.sealedDocuments)) / Double(shape.sealedDocuments)
      return Int((log(times) / log(Double(shape.mergedSegments))).rounded())
    }
    for (_, group) in sizes.sorted(by: { $0.key < $1.key }) where group.count >= shape.mergedSegments {
      let oldest = Array(group.sorted { $0.id < $1.id }.prefix(shape.mergedSegments))
      if oldest.reduce(0, { $0 + $1.documents - $1.deadCount }) <= shape.segmentDocuments { return oldest }
    }
    return free.first { $0.deadCount * Self.deadShare > $0.documents }.map { [$0] } ?? []
  }

  private func numbers(of segment: SearchSegment, _ reader: any Reader) throws -> [[Int64?]] {
    var columns: [[Int64?]] = []
    for position in 0..<SearchLimits.documentNumbers {
      var column: [Int64?] = []
      try reader.query(
        "SELECT bytes FROM octet_search_blocks WHERE segment = $1 AND term = $2 ORDER BY part",
        [.integer(segment.id), .integer(numberKey(position))]
      ) { row in
        let numbers = SearchColumn.Numbers(row[0])
        for index in 0..<numbers.count { column.append(numbers[index]) }
      }
      if column.isEmpty { break }
      columns.append(column)
    }
    return columns
  }

  /// - Returns: false if somebody has given the merge up meanwhile.
  private func write(_ rows: SearchRows, to target: Int64, _ database: any Database) async throws -> Bool {
    try await database.write { [clock] writer in
      let isOurs = try writer.execute(
        "UPDATE octet_search_segments SET changed_at = $2 WHERE segment = $1 AND state = 0", target, clock.now())
      if isOurs == 0 { return false }
      try rows.write(writer)
      return true
    }
  }

  private func finish(_ merge: SearchMerge, _ database: any Database) async throws {
    try await database.write { [clock] writer in
      let now = clock.now()
      // Nothing to search where all have died.
      let state = merge.ids.isEmpty ? SearchSegment.State.retired : SearchSegment.State.live
      let isOurs = try writer.execute(
        """
        UPDATE octet_search_segments SET state = $2, documents = $3, lowest = $4, highest = $5, changed_at = $6
        WHERE segment = $1 AND state = 0
        """, merge.target, state, merge.ids.count, merge.ids.first ?? 0, merge.ids.last ?? 0, now)
      if isOurs == 0 { return }
      // Waits for those that are marking documents in them; whoever comes later finds them replaced.
      try writer.send(
        "UPDATE octet_search_segments SET state = 2, changed_at = $2 WHERE target = $1 AND state = 1", merge.target,
        now)
      var dead: [Int64: [Int: [UInt8]]] = [:]
      for input in merge.inputs {
        try writer.query(
          "SELECT chunk, bits FROM octet_search_dead WHERE segment = $1", [.integer(input.segment.id)]
        ) { dead[input.segment.id, default: [:]][$0[0]] = $0[1] }
      }
      try writer.insert(
        "octet_search_dead (segment, chunk, bits)",
        merge.died(dead).sorted { $0.key < $1.key }.map {
          [.integer(merge.target), .integer(Int64($0.key)), .blob($0.value)]
        })
    }
  }

  /// Gives up a merge whose node has not gone on with it for long.
  private func giveUp(_ database: any Database) async throws {
    let now = clock.now()
    let find = """
      SELECT segment FROM octet_search_segments WHERE collection = $1 AND state = 0 AND changed_at < $2
      """
    let stale: [Int64] = try await database.read { [collection] in
      try $0.rows(find, collection, now - Self.patience) { $0[0] }
    }
    if stale.isEmpty { return }
    try await database.write { writer in
      for target in stale {
        let isStale = try writer.execute(
          "UPDATE octet_search_segments SET state = 2 WHERE segment = $1 AND state = 0 AND changed_at < $2",
          target, now - Self.patience)
        if isStale == 0 { continue }
        try writer.send("UPDATE octet_search_segments SET target = 0 WHERE target = $1 AND state = 1", target)
      }
    }
  }

  /// Removes some rows of a segment that has been replaced.
  /// - Returns: whether there was one.
  func removeRetired(_ database: any Database) async throws -> Bool {
    let before = clock.now() - Self.keeping
    let retired: Int64? = try await database.read { [collection] in
      try $0.first(
        "SELECT segment FROM octet_search_segments WHERE collection = $1 AND state = 2 AND changed_at < $2 LIMIT 1",
        collection, before
      ) { $0[0] }
    }
    guard let retired else { return false }
    try await database.write { writer in
      for table in ["terms", "blocks"] {
        let bound: Int64? = try writer.first(
          "SELECT term FROM octet_search_\(table) WHERE segment = $1 ORDER BY term LIMIT 1 OFFSET $2",
          retired, Self.rowsAtOnce
        ) { $0[0] }
        guard let bound else { continue }
        try writer.send("DELETE FROM octet_search_\(table) WHERE segment = $1 AND term <= $2", retired, bound)
        return
      }
      for table in ["terms", "blocks", "dead", "segments"] {
        try writer.send("DELETE FROM octet_search_\(table) WHERE segment = $1", retired)
      }
    }
    return true
  }
}
