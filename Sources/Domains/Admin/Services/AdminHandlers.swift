import AdminAPI
import Base
import DomainKit
import ProtobufRuntime
import RPC
import Storage
import Streaming

/// octet.admin.v1.AdminService.
struct AdminHandlers: AdminService {
  let kit: Kit
  let board: FlagBoard
  let flags: FlagCatalog
  /// By name.
  let tables: [String: TableDefinition]

  static let flagTopic = Topic("flags", "all")

  // MARK: Flags

  func putFlag(_ request: PutFlagRequest, context: ServerContext) async throws -> AdminAPI.Flag {
    let caller = try context.requireCaller()
    guard let declared = flags[request.name] else { throw KitError.notFound("flag") }
    let content = try FlagCatalog.content(request, of: declared, kit.roles)
    // The one that a client saw; 0 for none.
    guard let seen = request.etag.isEmpty ? 0 : Int64(request.etag), seen < .max else { throw KitError.etagMismatch }
    return try await kit.mutate(request, context, recording: .byBody) { [kit, board] writer in
      let row = FlagRow(name: declared.name, version: seen + 1, content: content, putAt: kit.clock.now())
      guard try row.replace(in: writer) else { throw KitError.etagMismatch }
      try kit.audit.record(
        AuditEntry(.word("flag.put"), by: caller.actor, on: nil, [.setting(row.name), .count(Int(row.version))]),
        in: writer)
      let flag = AdminAPI.Flag(declared, row)
      try kit.hub.publish(Self.flagTopic, in: writer) { _, token in
        WatchFlagsResponse(.change(flag), token).encoded()
      }
      let compiled = row.compiled
      writer.afterCommit { board.take(compiled) }
      return flag
    }
  }

  func listFlags(_ request: ListFlagsRequest, context: ServerContext) async throws -> ListFlagsResponse {
    let page = try kit.page(request, context)
    let rows = try await putFlags()
    let wanted = flags.declarations.lazy.filter { flag in
      flag.name.hasPrefix(request.prefix) && (!request.onlyPut || rows[flag.name] != nil)
        && page.lastName.map { $0 < flag.name } ?? true
    }
    let found = wanted.prefix(page.fetch).map { AdminAPI.Flag($0, rows[$0.name]) }
    var response = ListFlagsResponse()
    (response.flags, response.nextPageToken) = page.cut(Array(found)) { [.text($0.name)] }
    return response
  }

  func watchFlags(
    _ request: WatchFlagsRequest, responses: ResponseWriter<WatchFlagsResponse>, context: ServerContext
  ) async throws {
    try await kit.watch(
      Self.flagTopic, resumeToken: request.resumeToken, responses, context,
      snapshot: { [flags] reader in
        let rows = try FlagRow.all(in: reader).sorted { $0.name < $1.name }
        var list = FlagList()
        list.flags = rows.compactMap { row in flags[row.name].map { AdminAPI.Flag($0, row) } }
        return list
      },
      first: { list, token in .send(WatchFlagsResponse(.snapshot(list), token)) },
      heartbeat: { WatchFlagsResponse() },
      step: { event, _ in
        .share(try event.shared { EncodedMessage(try WatchFlagsResponse(decoding: $0.payload)) })
      })
  }

  private func putFlags() async throws -> [String: FlagRow] {
    let rows = try await kit.database.read { try FlagRow.all(in: $0) }
    return Dictionary(uniqueKeysWithValues: rows.map { ($0.name, $0) })
  }

  // MARK: Tables

  func putTableRow(_ request: PutTableRowRequest, context: ServerContext) async throws -> TableRow {
    let caller = try context.requireCaller()
    let edit = try TableEdit(request, of: try table(request.table))
    return try await kit.mutate(request, context, recording: .byBody) { [kit] writer in
      let record = try edit.apply(in: writer, kit)
      try kit.audit.record(
        AuditEntry(
          .word("table.put"), by: caller.actor, on: SubjectID(TableRecord.idKind, record.id),
          [.setting(record.table), .count(Int(record.version))]), in: writer)
      return TableRow(record)
    }
  }

  func listTableRows(_ request: ListTableRowsRequest, context: ServerContext) async throws -> ListTableRowsResponse {
    let page = try kit.page(request, context)
    var response = ListTableRowsResponse()
    guard !request.table.isEmpty else {
      response.tables = tables.values.sorted { $0.name < $1.name }.map(TableDescription.init)
      return response
    }
    let table = try table(request.table)
    let instant = try request.atTime.map { try Instant($0, field: "at_time") }
    let rows = try await kit.database.read { [request] reader in
      try TableRecord.list(
        table.name, key: request.key.isEmpty ? nil : request.key, at: instant, after: page.lastRow, limit: page.fetch,
        in: reader)
    }
    let (items, next) = page.cut(rows) { [.text($0.key), $0.from.sqlValue] }
    (response.rows, response.nextPageToken) = (items.map(TableRow.init), next)
    response.tables = [TableDescription(table)]
    return response
  }

  private func table(_ name: String) throws(KitError) -> TableDefinition {
    guard let table = tables[name] else { throw .notFound("table") }
    return table
  }

  // MARK: Capacity

  func estimateCapacity(
    _ request: EstimateCapacityRequest, context: ServerContext
  ) async throws -> EstimateCapacityResponse {
    let load = try PlannedLoad(request)
    var node = (writes: request.nodeWritesPerSecond, reads: request.nodeReadsPerSecond)
    if node.writes == 0 || node.reads == 0 {
      let now = kit.clock.now()
      let measured = try await kit.database.read { reader in
        (
          writes: try NodeRates.measured("writes", at: now, TableBook(kit: kit), in: reader),
          reads: try NodeRates.measured("reads", at: now, TableBook(kit: kit), in: reader)
        )
      }
      if node.writes == 0 { node.writes = measured.writes }
      if node.reads == 0 { node.reads = measured.reads }
    }
    return try load.figures(node: node)
  }
}

extension WatchFlagsResponse {
  fileprivate init(_ event: Event, _ token: String) {
    self.init()
    self.event = event
    resumeToken = token
  }
}

extension Page {
  /// For the list of flags: the last one of the page before.
  fileprivate var lastName: String? {
    guard case .text(let name)? = after?.first else { return nil }
    return name
  }

  /// For the list of rows: the last one of the page before.
  fileprivate var lastRow: (key: String, from: Instant)? {
    guard let after, after.count == 2, case .text(let key) = after[0], case .integer(let from) = after[1] else {
      return nil
    }
    return (key, Instant(nanoseconds: from))
  }
}
