import Base
import DomainKit
import ProtobufRuntime
import RPC
import SocialAPI
import Storage
import Streaming

/// octet.social.v1.CommentService.
struct CommentHandlers: CommentService {
  /// How many comments a stream begins with.
  static let shownInSnapshot = 50

  let core: SocialCore

  var kit: Kit { core.kit }

  func postComment(_ request: PostCommentRequest, context: ServerContext) async throws -> Comment {
    let caller = try context.requireCaller()
    let subject = try kit.subjects.parse(request.subjectID, field: "subject_id")
    let parent =
      try request.parentID.isEmpty
      ? nil : Identifier(request.parentID, kind: IDKind.comment, field: "parent_id")
    let score = try await core.judge(request.text, by: caller.user)
    return try await kit.mutate(request, context) { [core] writer in
      let row = try core.post(request.text, score, on: subject, below: parent, by: caller, in: writer)
      return try core.shown(row, to: caller, in: writer)
    }
  }

  func editComment(_ request: EditCommentRequest, context: ServerContext) async throws -> Comment {
    let caller = try context.requireCaller()
    let id = try Identifier(request.commentID, kind: IDKind.comment, field: "comment_id")
    let score = try await core.judge(request.text, by: caller.user)
    return try await kit.mutate(request, context) { [core] writer in
      let row = try core.edit(id, request.text, score, etag: request.etag, by: caller, in: writer)
      return try core.shown(row, to: caller, in: writer)
    }
  }

  func deleteComment(_ request: DeleteCommentRequest, context: ServerContext) async throws -> DeleteCommentResponse {
    let caller = try context.requireCaller()
    let id = try Identifier(request.commentID, kind: IDKind.comment, field: "comment_id")
    let isModerator = caller.roles.holds(anyOf: context.method.policy.roles)
    return try await kit.mutate(request, context) { [core] writer in
      try core.deleteComment(id, by: caller, isModerator: isModerator, in: writer)
      return DeleteCommentResponse()
    }
  }

  func listComments(_ request: ListCommentsRequest, context: ServerContext) async throws -> ListCommentsResponse {
    let caller = context.caller
    let page = try kit.page(request, context)
    let subject = try kit.subjects.parse(request.subjectID, field: "subject_id")
    let parent =
      try request.parentID.isEmpty
      ? nil : Identifier(request.parentID, kind: IDKind.comment, field: "parent_id")
    return try await kit.database.read { [core] reader in
      _ = try core.kit.subjects.visible(subject, to: caller, in: reader)
      let view = CommentReader(core, for: caller, in: reader)
      let rows: [CommentRow]
      if let parent {
        // What is not shown has no replies either.
        guard let row = try CommentRow.find(parent, in: reader), row.subject == subject, try view.show(row) != nil
        else { throw KitError.notFound("comment") }
        rows = try CommentRow.replies(to: parent, on: subject, after: page.lastID, limit: page.fetch, in: reader)
      } else {
        rows = try CommentRow.newest(on: subject, before: page.before, limit: page.fetch, in: reader)
      }
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      var response = ListCommentsResponse()
      response.comments = try items.compactMap { try view.show($0) }
      response.nextPageToken = next
      return response
    }
  }

  /// What a stream begins with.
  private struct Opening: Sendable {
    var list = CommentList()
    let sight: Sight
  }

  /// What a row of the stream tells.
  private enum Change: Sendable {
    case show(Comment)
    case gone(Identifier)
    case nothing
  }

  func watchComments(
    _ request: WatchCommentsRequest, responses: ResponseWriter<WatchCommentsResponse>, context: ServerContext
  ) async throws {
    let caller = context.caller
    let core = core
    let subject = try kit.subjects.parse(request.subjectID, field: "subject_id")
    let lookout = kit.lookout()
    let confirm: @Sendable (any Reader) throws -> Void = { reader in
      _ = try core.kit.subjects.visible(subject, to: caller, in: reader)
    }
    try await kit.watch(
      core.commentTopic(of: subject), resumeToken: request.resumeToken, responses, context,
      snapshot: { reader -> Opening in
        try confirm(reader)
        let view = CommentReader(core, for: caller, in: reader)
        var opening = Opening(sight: try lookout.sight(of: subject, by: caller, in: reader, confirm: confirm))
        opening.list.comments = try CommentRow.newest(
          on: subject, before: Identifier(rawValue: .max), limit: Self.shownInSnapshot, in: reader
        ).compactMap { try view.show($0) }
        return opening
      },
      over: { $0.sight },
      first: { opening, token in .send(WatchCommentsResponse(.snapshot(opening.list), token)) },
      heartbeat: { WatchCommentsResponse() },
      read: { event, reader -> Change in
        try confirm(reader)
        guard !event.payload.isEmpty,
          let row = try CommentRow.find(Identifier(rawValue: Int64(bigEndian: event.payload)), in: reader)
        else { return .nothing }
        let view = CommentReader(core, for: caller, in: reader)
        if let comment = try view.show(row) { return .show(comment) }
        // Of one whom the caller does not see at all, the caller was never told.
        return try view.isHidden(row.author) ? .nothing : .gone(row.id)
      },
      step: { change, token in
        switch change {
        case .show(let comment): .send(WatchCommentsResponse(.comment(comment), token))
        case .gone(let id): .send(WatchCommentsResponse(.goneID(id.text(kind: IDKind.comment)), token))
        case .nothing: .skip
        }
      })
  }
}

extension WatchCommentsResponse {
  fileprivate init(_ event: Event, _ token: String) {
    self.init()
    self.event = event
    resumeToken = token
  }
}

extension SocialCore {
  /// A comment as its author gets it back.
  func shown(_ row: CommentRow, to caller: Caller, in reader: any Reader) throws -> Comment {
    guard let comment = try CommentReader(self, for: caller, in: reader).show(row) else {
      throw KitError.notFound("comment")
    }
    return comment
  }

  /// - Throws: `KitError.notFound` for a comment that the caller may not delete, or that is gone.
  func deleteComment(_ id: Identifier, by caller: Caller, isModerator: Bool, in writer: any Writer) throws {
    // Before the row: whoever decides about a report on it takes the turn first as well.
    try takeTurn(Turn(about: SubjectID(IDKind.comment, id)), in: writer)
    let found = try CommentRow.held(id, in: writer)
    let owner = try kit.subjects.owner(beneath: found?.subject, in: writer)
    guard var row = found, row.state != .deleted else { throw KitError.notFound("comment") }
    if row.author == caller.user || owner == caller.user {
      return try bury(&row, in: writer)
    }
    guard isModerator else { throw KitError.notFound("comment") }
    if row.state == .removed { return }
    let ruling = Ruling(verdict: .act, measure: .remove, policy: .other, note: "", until: nil)
    _ = try act(on: row.asSubject, of: row.author, ruling, by: caller.user, in: writer)
  }
}
