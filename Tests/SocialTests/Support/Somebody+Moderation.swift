import Base
import DomainKit
import Refusals
import SocialAPI
import WellKnownTypes

extension Somebody {
  var moderation: ModerationServiceClient { ModerationServiceClient(channel) }

  @discardableResult
  func report(_ target: String, _ policy: Policy = .spam, _ text: String = "look") async throws -> Case {
    var request = ReportContentRequest()
    request.requestID = newRequestID()
    request.targetID = target
    request.policy = policy
    request.text = text
    return try await moderation.reportContent(request)
  }

  func cases(aboutMe: Bool) async throws -> [Case] {
    var request = ListMyCasesRequest()
    request.aboutMe = aboutMe
    return try await moderation.listMyCases(request).cases
  }

  @discardableResult
  func appeal(_ report: String) async throws -> Case {
    var request = AppealRequest()
    request.requestID = newRequestID()
    request.reportID = report
    request.text = "it was not so"
    return try await moderation.appeal(request)
  }

  func queuePage(
    _ state: ReportState = .open, size: Int32 = 0, token: String = ""
  ) async throws -> ListQueueResponse {
    var request = ListQueueRequest()
    request.state = state
    request.pageSize = size
    request.pageToken = token
    return try await moderation.listQueue(request)
  }

  func queue(_ state: ReportState = .open) async throws -> [Report] { try await queuePage(state).reports }

  @discardableResult
  func decide(
    _ report: String, _ verdict: Verdict, _ measure: Measure = .unspecified, until: Instant? = nil
  ) async throws -> Report {
    var request = DecideRequest()
    request.requestID = newRequestID()
    request.reportID = report
    request.verdict = verdict
    request.measure = measure
    request.policy = verdict == .act ? .spam : .unspecified
    request.note = "seen"
    request.restrictUntil = until.map { Timestamp($0) }
    return try await moderation.decide(request)
  }

  @discardableResult
  func decideAppeal(
    _ report: String, _ verdict: Verdict, _ measure: Measure = .unspecified
  ) async throws -> Report {
    var request = DecideAppealRequest()
    request.requestID = newRequestID()
    request.reportID = report
    request.verdict = verdict
    request.measure = measure
    return try await moderation.decideAppeal(request)
  }

  @discardableResult
  func restrict(_ user: Somebody, until: Instant) async throws -> Restriction {
    var request = RestrictAccountRequest()
    request.requestID = newRequestID()
    request.userID = user.text
    request.endTime = Timestamp(until)
    request.policy = .harassment
    return try await moderation.restrictAccount(request)
  }

  func lift(_ user: Somebody) async throws {
    var request = LiftRestrictionRequest()
    request.requestID = newRequestID()
    request.userID = user.text
    _ = try await moderation.liftRestriction(request)
  }

  @discardableResult
  func put(_ words: [(text: String, weight: Int32)], etag: String = "", language: String = "en") async throws
    -> SocialAPI.WordList
  {
    var request = PutWordListRequest()
    request.requestID = newRequestID()
    var list = SocialAPI.WordList()
    list.language = language
    list.etag = etag
    list.words = words.map { text, weight in
      var word = ToxicWord()
      word.text = text
      word.weight = weight
      word.category = .insult
      return word
    }
    request.list = list
    return try await moderation.putWordList(request)
  }
}
