import AuditAPI
import Base
import DomainKit
import RPC
import Storage
import WellKnownTypes

/// octet.audit.v1.AuditService.
struct AuditHandlers: AuditService {
  /// Records of one message of an export.
  private static let exportedAtOnce = 200

  let kit: Kit
  let verifier: ChainVerifier
  let checked: [any Domain]

  func listRecords(_ request: ListRecordsRequest, context: ServerContext) async throws -> ListRecordsResponse {
    let page = try kit.page(request, context)
    let query = try RecordQuery(request.filter)
    let rows = try await kit.database.read { try query.newestFirst(page, in: $0) }
    let (items, next) = page.cut(rows) { [$0.createdAt.sqlValue, $0.id.sqlValue] }
    var response = ListRecordsResponse()
    response.records = items.map { AuditRecord($0) }
    response.nextPageToken = next
    return response
  }

  /// One snapshot without one long transaction: sealed records never change, so those up to a number are the same
  /// whenever they are read.
  func exportRecords(
    _ request: ExportRecordsRequest, responses: ResponseWriter<ExportRecordsResponse>, context: ServerContext
  ) async throws {
    let query = try RecordQuery(request.filter)
    let last = try await kit.database.read { try ChainEnd.stored(in: $0)?.number ?? 0 }
    var number = request.afterNumber
    while true {
      let from = number
      let rows = try await kit.database.read {
        try query.sealed(after: from, upTo: last, limit: Self.exportedAtOnce, in: $0)
      }
      guard let end = rows.last?.number else { return }
      try await kit.judgeAgain(context)
      var response = ExportRecordsResponse()
      response.records = rows.map { AuditRecord($0) }
      response.lastNumber = last
      try await responses.write(response)
      number = end
    }
  }

  func verifyChain(_ request: VerifyChainRequest, context: ServerContext) async throws -> VerifyChainResponse {
    let result = try await verifier.verify()
    var response = VerifyChainResponse()
    response.recordsVerified = result.records
    response.headsVerified = result.heads
    response.recordsWaiting = result.waiting
    response.newestHead = result.newestHead.map { ChainHead($0) }
    return response
  }

  func listHeads(_ request: ListHeadsRequest, context: ServerContext) async throws -> ListHeadsResponse {
    let page = try kit.page(request, context)
    let rows = try await kit.database.read { reader in
      try reader.rows(
        "SELECT \(HeadRow.columns) FROM audit_heads WHERE number < $1 ORDER BY number DESC LIMIT $2", page.before,
        page.fetch, make: HeadRow.init)
    }
    let (items, next) = page.cut(rows) { [$0.number.sqlValue] }
    var response = ListHeadsResponse()
    response.heads = items.map { ChainHead($0) }
    response.nextPageToken = next
    response.publicKey = verifier.publicKey
    return response
  }

  func checkInvariants(
    _ request: CheckInvariantsRequest, context: ServerContext
  ) async throws -> CheckInvariantsResponse {
    var response = CheckInvariantsResponse()
    response.checkedAt = Timestamp(kit.clock.now())
    for domain in checked {
      for check in try await domain.checkInvariants() {
        response.invariants.append(InvariantReport(check, of: type(of: domain).name))
      }
    }
    return response
  }
}

extension AuditRecord {
  init(_ row: RecordRow) {
    self.init()
    number = row.number ?? 0
    sequence = row.id
    createTime = Timestamp(row.createdAt)
    actorID = row.actor
    action = row.action
    objectID = row.object
    refusal = row.refusal
    details = row.facts.map { fact in
      var detail = AuditDetail()
      (detail.name, detail.value) = (fact.name, fact.value)
      return detail
    }
    hash = row.hash ?? []
  }
}

extension ChainHead {
  init(_ row: HeadRow) {
    self.init()
    number = row.number
    hash = row.hash
    signTime = Timestamp(row.signedAt)
    signature = row.signature
  }
}

extension InvariantReport {
  init(_ check: InvariantCheck, of domain: String) {
    self.init()
    self.domain = domain
    number = Int32(check.number)
    statement = check.statement
    rowsChecked = Int64(check.rowsChecked)
    violations_ = Int64(check.violationCount)
    examples = check.violations
    snapshotSequence = check.snapshotSequence
  }
}
