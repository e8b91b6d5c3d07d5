import Base
import DomainKit
import ProtobufRuntime
import RPC
import SocialAPI
import Storage

/// octet.social.v1.ShareService.
struct ShareHandlers: ShareService {
  let core: SocialCore

  var kit: Kit { core.kit }

  func createShareLink(_ request: CreateShareLinkRequest, context: ServerContext) async throws -> ShareLink {
    let caller = try context.requireCaller()
    let subject = try kit.subjects.parse(request.subjectID, field: "subject_id")
    return try await kit.mutate(request, context) { [core] writer in
      try core.message(core.share(subject, by: caller, in: writer), in: writer)
    }
  }

  func resolveShareLink(
    _ request: ResolveShareLinkRequest, context: ServerContext
  ) async throws -> ResolveShareLinkResponse {
    guard let token = LinkToken(request.token, key: core.linkKey) else { throw KitError.notFound("link") }
    let core = core
    @Sendable func response(_ row: LinkRow, _ reader: any Reader) throws -> ResolveShareLinkResponse {
      var response = ResolveShareLinkResponse()
      response.subjectID = row.subject.text
      response.maker = try core.member(row.maker, in: reader)
      return response
    }
    guard let caller = context.caller else {
      // Nobody in particular counts for nobody.
      return try await kit.database.read { try response(core.resolve(token, for: nil, in: $0), $0) }
    }
    return try await kit.mutate(request, context) { writer in
      let row = try core.resolve(token, for: caller, in: writer)
      try core.credit(row, for: caller.user, in: writer)
      return try response(row, writer)
    }
  }

  func listShareLinks(_ request: ListShareLinksRequest, context: ServerContext) async throws -> ListShareLinksResponse {
    let caller = try context.requireCaller()
    let page = try kit.page(request, context)
    return try await kit.database.read { [core] reader in
      let rows = try reader.rows(
        "SELECT \(LinkRow.columns) FROM social_links WHERE maker_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        caller.user, page.before, page.fetch, make: LinkRow.init)
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      var response = ListShareLinksResponse()
      response.links = try items.map { try core.message($0, in: reader) }
      response.nextPageToken = next
      return response
    }
  }

  func revokeShareLink(_ request: RevokeShareLinkRequest, context: ServerContext) async throws -> ShareLink {
    let caller = try context.requireCaller()
    let id = try Identifier(request.linkID, kind: IDKind.link, field: "link_id")
    return try await kit.mutate(request, context) { [core] writer in
      try core.message(core.revoke(id, by: caller.user, in: writer), in: writer)
    }
  }
}
