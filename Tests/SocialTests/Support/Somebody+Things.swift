import RPC
import Refusals
import SocialAPI

extension Somebody {
  var reactions: ReactionServiceClient { ReactionServiceClient(channel) }
  var comments: CommentServiceClient { CommentServiceClient(channel) }
  var shares: ShareServiceClient { ShareServiceClient(channel) }

  @discardableResult
  func react(
    _ kind: ReactionKind, _ emoji: String = "", to subject: String, requestID: String = newRequestID()
  ) async throws -> Reaction {
    var request = SetReactionRequest()
    request.requestID = requestID
    request.subjectID = subject
    request.kind = kind
    request.emoji = emoji
    return try await reactions.setReaction(request)
  }

  func clear(_ kind: ReactionKind, from subject: String) async throws {
    var request = ClearReactionRequest()
    request.requestID = newRequestID()
    request.subjectID = subject
    request.kind = kind
    _ = try await reactions.clearReaction(request)
  }

  func reactions(of user: Somebody, _ kind: ReactionKind, on subjectKind: String = "") async throws -> [String] {
    var request = ListReactionsRequest()
    request.userID = user.text
    request.kind = kind
    request.subjectKind = subjectKind
    return try await reactions.listReactions(request).reactions.map(\.subjectID)
  }

  func watchCounters(_ subject: String) -> ServerStreamingCall<WatchCountersResponse> {
    var request = WatchCountersRequest()
    request.subjectID = subject
    return reactions.watchCounters(request)
  }

  @discardableResult
  func comment(
    _ text: String, on subject: String, replyTo parent: String = "", requestID: String = newRequestID()
  ) async throws -> Comment {
    var request = PostCommentRequest()
    request.requestID = requestID
    request.subjectID = subject
    request.parentID = parent
    request.text = text
    return try await comments.postComment(request)
  }

  @discardableResult
  func edit(_ comment: Comment, _ text: String) async throws -> Comment {
    var request = EditCommentRequest()
    request.requestID = newRequestID()
    request.commentID = comment.id
    request.text = text
    request.etag = comment.etag
    return try await comments.editComment(request)
  }

  func delete(_ comment: Comment) async throws {
    var request = DeleteCommentRequest()
    request.requestID = newRequestID()
    request.commentID = comment.id
    _ = try await comments.deleteComment(request)
  }

  func commentPage(
    on subject: String, below parent: String = "", size: Int32 = 0, token: String = ""
  ) async throws -> ListCommentsResponse {
    var request = ListCommentsRequest()
    request.subjectID = subject
    request.parentID = parent
    request.pageSize = size
    request.pageToken = token
    return try await comments.listComments(request)
  }

  /// What is said about a thing, or below one comment, as this user sees it: the texts, and a cross for each tombstone.
  func texts(on subject: String, below parent: Comment? = nil) async throws -> [String] {
    try await commentPage(on: subject, below: parent?.id ?? "").comments.map { $0.state == .tombstone ? "†" : $0.text }
  }

  func watchComments(on subject: String, resumeToken: String = "") -> ServerStreamingCall<WatchCommentsResponse> {
    var request = WatchCommentsRequest()
    request.subjectID = subject
    request.resumeToken = resumeToken
    return comments.watchComments(request)
  }

  @discardableResult
  func share(_ subject: String) async throws -> ShareLink {
    var request = CreateShareLinkRequest()
    request.requestID = newRequestID()
    request.subjectID = subject
    return try await shares.createShareLink(request)
  }

  func resolve(_ token: String) async throws -> ResolveShareLinkResponse {
    var request = ResolveShareLinkRequest()
    request.requestID = newRequestID()
    request.token = token
    return try await shares.resolveShareLink(request)
  }

  @discardableResult
  func revoke(_ link: ShareLink) async throws -> ShareLink {
    var request = RevokeShareLinkRequest()
    request.requestID = newRequestID()
    request.linkID = link.id
    return try await shares.revokeShareLink(request)
  }

  func links() async throws -> [ShareLink] { try await shares.listShareLinks(ListShareLinksRequest()).links }
}
