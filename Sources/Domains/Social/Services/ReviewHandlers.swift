import Base
import DomainKit
import ProtobufRuntime
import RPC
import SocialAPI
import Storage
import WellKnownTypes

/// octet.social.v1.ReviewService.
struct ReviewHandlers: ReviewService {
  let core: SocialCore

  var kit: Kit { core.kit }

  func submitReview(_ request: SubmitReviewRequest, context: ServerContext) async throws -> Review {
    let caller = try context.requireCaller()
    let subject = try kit.subjects.parse(request.subjectID, field: "subject_id")
    guard let key = SubjectID(parsing: request.keyID) else {
      throw KitError.invalid(FieldViolation(field: "key_id", description: "not the id of anything"))
    }
    let opinion = ReviewOpinion(score: request.score, aspects: request.aspects, text: request.text)
    let score = try await core.judge(request.text, by: caller.user)
    return try await kit.mutate(request, context) { [core] writer in
      let row = try core.submit(opinion, score, of: subject, over: key, by: caller, in: writer)
      return try core.message(row, to: caller, in: writer)
    }
  }

  func updateReview(_ request: UpdateReviewRequest, context: ServerContext) async throws -> Review {
    let caller = try context.requireCaller()
    let id = try Identifier(request.reviewID, kind: IDKind.review, field: "review_id")
    let opinion = ReviewOpinion(score: request.score, aspects: request.aspects, text: request.text)
    let score = try await core.judge(request.text, by: caller.user)
    return try await kit.mutate(request, context) { [core] writer in
      let row = try core.update(id, opinion, score, etag: request.etag, by: caller, in: writer)
      return try core.message(row, to: caller, in: writer)
    }
  }

  func deleteReview(_ request: DeleteReviewRequest, context: ServerContext) async throws -> DeleteReviewResponse {
    let caller = try context.requireCaller()
    let id = try Identifier(request.reviewID, kind: IDKind.review, field: "review_id")
    return try await kit.mutate(request, context) { [core] writer in
      // Before the row: whoever decides about a report on it takes the turn first as well.
      try core.takeTurn(Turn(about: SubjectID(IDKind.review, id)), in: writer)
      guard var row = try ReviewRow.held(id, in: writer), row.author == caller.user, row.state != .deleted else {
        throw KitError.notFound("review")
      }
      try core.bury(&row, in: writer)
      return DeleteReviewResponse()
    }
  }

  func replyReview(_ request: ReplyReviewRequest, context: ServerContext) async throws -> Review {
    let caller = try context.requireCaller()
    let id = try Identifier(request.reviewID, kind: IDKind.review, field: "review_id")
    let score = try await core.judge(request.text, by: caller.user)
    return try await kit.mutate(request, context) { [core] writer in
      let subject = SubjectID(IDKind.review, id)
      func answerable(_ found: ReviewRow?) throws -> ReviewRow {
        // Whoever sees it sees what it is of.
        let isVisible = try core.kit.subjects.isVisible(subject, to: caller, in: writer)
        let owner = try core.kit.subjects.owner(beneath: found?.subject, in: writer)
        guard let found, isVisible, owner == caller.user else { throw KitError.notFound("review") }
        return found
      }
      // The turn of an answer comes before all rows that are held, as wherever else it is written or decided about. Strangers
      // take none.
      let answer = try core.reply(to: answerable(ReviewRow.find(id, in: writer)), in: writer)?.id
      if let answer { try core.takeTurn(Turn(about: SubjectID(IDKind.comment, answer)), in: writer) }
      // Held, so that of two answers at once the second finds the first.
      let row = try answerable(ReviewRow.held(id, in: writer))
      let known = try core.reply(to: row, in: writer)
      // Somebody else was faster; run again, the row will show it.
      guard known?.id == answer else { throw RetryTransaction() }
      if let known {
        _ = try core.edit(
          known.id, request.text, score, etag: String(known.version), by: caller, in: writer)
      } else {
        _ = try core.post(request.text, score, on: subject, below: nil, by: caller, in: writer)
      }
      return try core.message(row, to: caller, in: writer)
    }
  }

  func getReview(_ request: GetReviewRequest, context: ServerContext) async throws -> Review {
    let caller = context.caller
    let id = try Identifier(request.reviewID, kind: IDKind.review, field: "review_id")
    return try await kit.database.read { [core] reader in
      _ = try core.kit.subjects.visible(SubjectID(IDKind.review, id), to: caller, in: reader)
      guard let row = try ReviewRow.find(id, in: reader) else { throw KitError.notFound("review") }
      return try core.message(row, to: caller, in: reader)
    }
  }

  func listReviews(_ request: ListReviewsRequest, context: ServerContext) async throws -> ListReviewsResponse {
    let caller = context.caller
    let page = try kit.page(request, context)
    let subject = try kit.subjects.parse(request.subjectID, field: "subject_id")
    return try await kit.database.read { [core] reader in
      _ = try core.kit.subjects.visible(subject, to: caller, in: reader)
      let rows = try reader.rows(
        """
        SELECT \(ReviewRow.columns) FROM social_reviews
        WHERE subject_id = $1 AND state = 1 AND subject_kind = $2 AND id < $3 ORDER BY id DESC LIMIT $4
        """, subject.id, subject.kind, page.before, page.fetch, make: ReviewRow.init)
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      let view = CommentReader(core, for: caller, in: reader)
      var response = ListReviewsResponse()
      response.nextPageToken = next
      response.reviews = try items.filter { try !view.isHidden($0.author) }.map {
        try core.message($0, to: caller, in: reader)
      }
      let counters = try core.counters(of: subject, in: reader)
      response.reviewCount = counters[Counter.reviews.name] ?? 0
      response.scoreSum = counters[Counter.scores.name] ?? 0
      if response.reviewCount > 0 {
        let twice = 2 * response.reviewCount
        response.meanHundredths = (200 * response.scoreSum + response.reviewCount) / twice
      }
      return response
    }
  }
}

extension SocialCore {
  func message(_ row: ReviewRow, to caller: Caller?, in reader: any Reader) throws -> Review {
    var review = Review()
    review.id = row.asSubject.text
    review.subjectID = row.subject.text
    review.author = try member(row.author, in: reader)
    review.score = row.opinion.score
    review.lowest = row.scale.lowerBound
    review.highest = row.scale.upperBound
    review.aspects = row.opinion.aspects
    review.text = row.opinion.text
    review.state = row.state.message
    review.createTime = Timestamp(row.createdAt)
    review.editTime = row.editedAt.map { Timestamp($0) }
    if caller?.user == row.author {
      review.keyID = row.key.text
      review.editableUntil = Timestamp(row.editableUntil)
      review.etag = String(row.version)
    }
    if let reply = try reply(to: row, in: reader) {
      review.reply = try CommentReader(self, for: caller, in: reader).show(reply)
    }
    return review
  }
}

extension ReviewRow.State {
  fileprivate var message: ReviewState {
    switch self {
    case .visible: .visible
    case .blind: .blind
    case .held: .held
    case .removed: .removed
    case .deleted: .unspecified
    }
  }
}
