import Base
import DomainKit
import ProtobufRuntime
import RPC
import SocialAPI
import Storage
import Streaming
import WellKnownTypes

/// octet.social.v1.ModerationService, as far as all users may call it. Moderators' methods have a file of their own.
struct ModerationHandlers: ModerationService {
  /// How many reports a stream begins with.
  static let shownInSnapshot = 50

  let core: SocialCore

  var kit: Kit { core.kit }

  func reportContent(_ request: ReportContentRequest, context: ServerContext) async throws -> Case {
    let caller = try context.requireCaller()
    let target = try kit.subjects.parse(request.targetID, field: "target_id")
    guard request.policy.isReportable else { throw SocialError.badRuling("policy") }
    return try await kit.mutate(request, context) { [core] writer in
      let row = try core.report(target, request.policy, request.text, by: caller, in: writer)
      return try core.caseMessage(row, for: caller.user, in: writer)
    }
  }

  func listMyCases(_ request: ListMyCasesRequest, context: ServerContext) async throws -> ListMyCasesResponse {
    let caller = try context.requireCaller()
    let page = try kit.page(request, context)
    let mine = request.aboutMe ? ReportRow.isAboutOwner : "reporter_id = $1"
    return try await kit.database.read { [core] reader in
      let rows = try reader.rows(
        "SELECT \(ReportRow.columns) FROM social_reports r WHERE \(mine) AND id < $2 ORDER BY id DESC LIMIT $3",
        caller.user, page.before, page.fetch, make: ReportRow.init)
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      var response = ListMyCasesResponse()
      response.cases = try items.map { try core.caseMessage($0, for: caller.user, in: reader) }
      response.nextPageToken = next
      return response
    }
  }

  func appeal(_ request: AppealRequest, context: ServerContext) async throws -> Case {
    let caller = try context.requireCaller()
    let id = try Identifier(request.reportID, kind: IDKind.report, field: "report_id")
    return try await kit.mutate(request, context) { [core] writer in
      let row = try core.appeal(id, request.text, by: caller.user, in: writer)
      return try core.caseMessage(row, for: caller.user, in: writer)
    }
  }
}

extension Policy {
  /// Whether people say it of something.
  var isReportable: Bool { self != .unspecified && self != .toxicity }
}
