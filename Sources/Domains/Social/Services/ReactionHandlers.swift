import Base
import DomainKit
import ProtobufRuntime
import RPC
import SocialAPI
import Storage
import Streaming

/// octet.social.v1.ReactionService.
struct ReactionHandlers: ReactionService, ListsOfUsers {
  /// How long a stream of counters rests after each message, however many changes there are.
  static let restBetweenCounters = Duration.milliseconds(250)

  let core: SocialCore

  var kit: Kit { core.kit }

  func setReaction(_ request: SetReactionRequest, context: ServerContext) async throws -> Reaction {
    let caller = try context.requireCaller()
    let subject = try kit.subjects.parse(request.subjectID, field: "subject_id")
    guard let kind = ReactionSort(request.kind) else { throw SocialError.noReactionKind }
    guard kind == .emoji ? Emoji.isOne(request.emoji) : request.emoji.isEmpty else { throw SocialError.badEmoji }
    return try await kit.mutate(request, context) { [core] writer in
      Reaction(try core.react(kind, request.emoji, to: subject, by: caller, in: writer))
    }
  }

  func clearReaction(_ request: ClearReactionRequest, context: ServerContext) async throws -> ClearReactionResponse {
    let caller = try context.requireCaller()
    let subject = try kit.subjects.parse(request.subjectID, field: "subject_id")
    guard let kind = ReactionSort(request.kind) else { throw SocialError.noReactionKind }
    return try await kit.mutate(request, context) { [core] writer in
      try core.clearReaction(kind, from: subject, by: caller.user, in: writer)
      return ClearReactionResponse()
    }
  }

  func listReactions(_ request: ListReactionsRequest, context: ServerContext) async throws -> ListReactionsResponse {
    let caller = context.caller
    let page = try kit.page(request, context)
    let user = try Self.userMeant(request.userID, caller)
    guard let kind = ReactionSort(request.kind) else { throw SocialError.noReactionKind }
    return try await kit.database.read { [core] reader in
      _ = try core.kit.subjects.visible(SubjectID(IDKind.user, user), to: caller, in: reader)
      // As if there were none: what somebody keeps is nobody's business.
      if kind == .save, caller?.user != user { throw KitError.notFound("reaction") }
      let rows = try reader.rows(
        """
        SELECT \(ReactionRow.columns) FROM social_reactions
        WHERE user_id = $1 AND kind = $2 \(request.subjectKind.isEmpty ? "" : "AND subject_kind = $5") AND id < $3
        ORDER BY id DESC LIMIT $4
        """,
        [user.sqlValue, kind.rawValue.sqlValue, page.before.sqlValue, page.fetch.sqlValue]
          + (request.subjectKind.isEmpty ? [] : [.text(request.subjectKind)]), make: ReactionRow.init)
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      var response = ListReactionsResponse()
      response.nextPageToken = next
      response.reactions = try items.filter {
        try core.kit.subjects.isVisible($0.subject, to: caller, in: reader)
      }.map { Reaction($0) }
      return response
    }
  }

  func watchCounters(
    _ request: WatchCountersRequest, responses: ResponseWriter<WatchCountersResponse>, context: ServerContext
  ) async throws {
    let caller = context.caller
    let subject = try kit.subjects.parse(request.subjectID, field: "subject_id")
    // Before the first look: what changes after that is not missed.
    let changes = core.board.subscribe(subject)
    let lookout = kit.lookout()
    let confirm: @Sendable (any Reader) throws -> Void = { [core] reader in
      _ = try core.kit.subjects.visible(subject, to: caller, in: reader)
    }
    let sight = try await kit.database.read { reader in
      try confirm(reader)
      return try lookout.sight(of: subject, by: caller, in: reader, isTopicDurable: false, confirm: confirm)
    }
    let heart = Heart(kit, context, responses.sink) { WatchCountersResponse() }
    heart.start(over: sight)
    defer { heart.stop() }
    var sent: Counters?
    while true {
      let counters = try await kit.database.read { [core] reader in
        try confirm(reader)
        return Counters(try core.counters(of: subject, in: reader))
      }
      try await kit.judgeAgain(context)
      if counters != sent {
        var response = WatchCountersResponse()
        response.counters = counters
        try await responses.write(response)
        heart.wasHeard()
        sent = counters
        try await core.pause(Self.restBetweenCounters)
      }
      guard try await changes.next() != nil else { return }
    }
  }
}

extension Counters {
  /// How many emojis are told at most.
  static let emojiLimit = 50

  init(_ values: [String: Int64]) {
    self.init()
    likes = values[Counter.likes.name] ?? 0
    saves = values[Counter.saves.name] ?? 0
    comments = values[Counter.comments.name] ?? 0
    replies = values[Counter.replies.name] ?? 0
    shares = values[Counter.shares.name] ?? 0
    followers = values[Counter.followers.name] ?? 0
    following = values[Counter.following.name] ?? 0
    reviews = values[Counter.reviews.name] ?? 0
    scoreSum = values[Counter.scores.name] ?? 0
    let prefix = Counter.emoji("").name
    let most = values.filter { $0.key.hasPrefix(prefix) && $0.value > 0 }
      .sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    emojis = most.prefix(Self.emojiLimit).map { name, value in
      var emoji = EmojiCount()
      emoji.emoji = String(name.dropFirst(prefix.count))
      emoji.count = value
      return emoji
    }
  }
}
