import Base
import DomainKit
import ProtobufRuntime
import RPC
import SearchAPI
import Storage
import WellKnownTypes

/// octet.search.v1.SearchService.
struct SearchHandlers: SearchService {
  let core: SearchCore
  let rebuild: Rebuild

  private static let defaultWords = 8
  /// How often the index is asked again for hits in the place of those that the caller may not see.
  private static let roundLimit = 5

  private var kit: Kit { core.kit }

  func search(_ request: SearchRequest, context: ServerContext) async throws -> SearchResponse {
    var listed = request
    // They decide nothing of what is listed: who wants them on the first page need not send them for the next.
    listed.countedTags = []
    let page = try kit.page(listed, context)
    if request.text.isEmpty, request.kind.isEmpty, request.tags.isEmpty {
      throw FindingError.invalid(FieldViolation(field: "text", description: "required without a kind and tags"))
    }
    var tags = [SearchCore.everything] + request.tags
    if !request.kind.isEmpty { tags.append(SearchCore.kindTag + request.kind) }
    let query = SearchQuery(
      request.text, tags: tags, completesLastWord: request.completesLastWord, correctsWords: true,
      facets: request.countedTags)
    return try await kit.database.read { reader in
      do {
        return try answer(query, page, context.caller, reader)
      } catch let error as SearchError {
        throw FindingError(error)
      }
    }
  }

  private func answer(
    _ query: SearchQuery, _ page: Page, _ caller: Caller?, _ reader: any Reader
  ) throws -> SearchResponse {
    let place = try SearchPlace(after: page.after, in: reader)
    var cursor = place.cursor
    var response = SearchResponse()
    let index = core.index(place.generation)
    for round in 0..<Self.roundLimit {
      let found = try index.search(query, pageSize: page.size - response.hits.count, after: cursor, in: reader)
      for hit in found.hits {
        if let shown = try show(hit, place.generation, caller, reader) { response.hits.append(shown) }
      }
      if round == 0, page.after == nil {
        response.counts = query.facets.map { tag in TagCount(tag, found.facets[tag] ?? 0) }
      }
      if !found.isComplete { response.estimated = true }
      if found.isCorrected { response.corrected = true }
      cursor = found.next
      if cursor == nil || response.hits.count == page.size { break }
    }
    if let cursor { response.nextPageToken = page.token(after: place.key(cursor)) }
    return response
  }

  /// A hit as it is shown; nil for one that is gone, or that the caller may not see.
  private func show(
    _ hit: SearchHit, _ generation: Int64, _ caller: Caller?, _ reader: any Reader
  ) throws -> Hit? {
    let id = Identifier(rawValue: hit.id)
    let row: (kind: String, title: String, summary: String)? = try reader.first(
      "SELECT kind, title, summary FROM search_rows WHERE document = $1 AND generation = $2", id, generation
    ) { ($0[0], $0[1], $0[2]) }
    guard let row, try kit.subjects.isVisible(SubjectID(row.kind, id), to: caller, in: reader) else { return nil }
    var message = Hit()
    message.subjectID = id.text(kind: row.kind)
    (message.title, message.summary, message.score) = (row.title, row.summary, hit.score)
    return message
  }

  func suggest(_ request: SuggestRequest, context: ServerContext) async throws -> SuggestResponse {
    let limit = request.limit == 0 ? Self.defaultWords : Int(request.limit)
    return try await kit.database.read { reader in
      let index = core.index(try Generation.live(in: reader).number)
      do {
        let words = try index.suggest(request.text, tags: [SearchCore.everything], limit: limit, in: reader)
        var response = SuggestResponse()
        response.suggestions = words.map { Suggestion($0) }
        return response
      } catch let error as SearchError {
        throw FindingError(error)
      }
    }
  }

  func reindex(_ request: ReindexRequest, context: ServerContext) async throws -> IndexState {
    try await kit.mutate(request, context) { writer in
      guard try rebuild.begin(in: writer) != nil else { throw KitError.wrongState("BUILDING") }
      return try state(writer)
    }
  }

  func getIndexState(_ request: GetIndexStateRequest, context: ServerContext) async throws -> IndexState {
    try await kit.database.read { try state($0) }
  }

  private func state(_ reader: any Reader) throws -> IndexState {
    var state = IndexState()
    for generation in try Generation.all(in: reader) {
      switch generation.state {
      case .live:
        state.generation = generation.number
        state.liveTime = generation.liveAt.map(Timestamp.init)
        state.documents = try core.index(generation.number).count(in: reader)
      case .building:
        var rebuild = IndexRebuild()
        rebuild.generation = generation.number
        rebuild.startTime = Timestamp(generation.startedAt)
        (rebuild.kind, rebuild.lookedAt) = (generation.kind ?? "", generation.lookedAt)
        state.rebuild = rebuild
      case .dropped: break
      }
    }
    return state
  }
}

/// The message; the work has the same name here.
private typealias IndexRebuild = SearchAPI.Rebuild

extension TagCount {
  fileprivate init(_ tag: String, _ count: Int) {
    self.init()
    (self.tag, self.count) = (tag, Int64(count))
  }
}

extension Suggestion {
  fileprivate init(_ suggestion: SearchSuggestion) {
    self.init()
    (word, changes) = (suggestion.word, Int32(clamping: suggestion.changes))
  }
}
