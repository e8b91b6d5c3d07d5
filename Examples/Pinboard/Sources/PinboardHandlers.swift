import Base
import DomainKit
import PinboardAPI
import RPC
import Storage

/// octet.pinboard.v1.PinboardService. Policies and fields have been checked by then.
struct PinboardHandlers: PinboardService {
  let board: Board

  func pinAdvert(_ request: PinAdvertRequest, context: ServerContext) async throws -> Advert {
    let owner = try context.requireCaller().user
    let draft = try AdvertDraft(request)
    let language = try await board.kit.database.read { [board] reader in
      try board.parts.people.preferences(of: owner, in: reader).language
    }
    let score = await board.parts.scorer.judge(draft.title + "\n" + draft.text, language: language)
    return try await board.kit.mutate(request, context) { [board] writer in
      try board.pin(draft, score, by: owner, in: writer)
    }
  }

  func removeAdvert(_ request: RemoveAdvertRequest, context: ServerContext) async throws -> RemoveAdvertResponse {
    let owner = try context.requireCaller().user
    let id = try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id")
    return try await board.kit.mutate(request, context) { [board] writer in
      guard try board.takeDown(id, of: owner, in: writer) else {
        // Somebody else's is not there, as far as this caller is told.
        let isOwn = try writer.exists("SELECT 1 FROM pinboard_adverts WHERE id = $1 AND owner_id = $2", id, owner)
        if isOwn { throw PinboardError.alreadyDown }
        throw KitError.notFound("advert")
      }
      return RemoveAdvertResponse()
    }
  }

  func setAdvertPrivacy(_ request: SetAdvertPrivacyRequest, context: ServerContext) async throws -> Advert {
    let owner = try context.requireCaller().user
    let id = try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id")
    return try await board.kit.mutate(request, context) { [board] writer in
      guard try board.setPrivacy(id, request.isPrivate, of: owner, in: writer),
        let row = try AdvertRow.find(id, in: writer)
      else { throw KitError.notFound(AdvertRow.idKind) }
      return Advert(row)
    }
  }

  func banFromThread(_ request: BanFromThreadRequest, context: ServerContext) async throws -> BanFromThreadResponse {
    let owner = try context.requireCaller().user
    let advert = SubjectID(
      AdvertRow.idKind, try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id"))
    let user = try Identifier(request.userID, kind: "user", field: "user_id")
    return try await board.kit.mutate(request, context) { [board] writer in
      guard try AdvertRow.find(advert.id, in: writer)?.owner == owner,
        let room = try board.parts.rooms.room(.thread, about: advert.text, in: writer)
      else { throw KitError.notFound(AdvertRow.idKind) }
      try board.parts.rooms.ban(user, from: room.id, until: nil, in: writer)
      return BanFromThreadResponse()
    }
  }

  func getAdvert(_ request: GetAdvertRequest, context: ServerContext) async throws -> Advert {
    let id = try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id")
    return try await board.kit.database.read { [board] reader in
      _ = try board.kit.subjects.visible(SubjectID(AdvertRow.idKind, id), to: context.caller, in: reader)
      guard let row = try AdvertRow.find(id, in: reader) else { throw KitError.notFound(AdvertRow.idKind) }
      return Advert(row)
    }
  }

  func listAdverts(_ request: ListAdvertsRequest, context: ServerContext) async throws -> ListAdvertsResponse {
    let user = try context.requireCaller().user
    let page = try board.kit.page(request, context)
    return try await board.kit.database.read { [board] reader in
      let rows = try AdvertRow.hanging(before: page.before, for: user, limit: page.fetch, in: reader)
      let unheard = try board.kit.community.unheard(by: user, among: Set(rows.map(\.owner)), in: reader)
      var response = ListAdvertsResponse()
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      response.adverts = items.filter { !unheard.contains($0.owner) }.map(Advert.init)
      response.nextPageToken = next
      return response
    }
  }
}
