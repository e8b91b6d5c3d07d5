import Base
import DomainKit
import PinboardAPI
import ProtobufRuntime
import RPC
import Storage

/// Letters to people who may have no account, with a link that credits whoever asked for the letter.
extension Board {
  static let invited = NoticeKind(
    "pinboard.invited", ways: [.mail], isInvitation: true, values: ["who": .name, "title": .text, "link": .text],
    words: ["en": NoticeWords("{who} shows you an advert", "{title}. It is behind this link: {link}")])

  func invite(_ address: ContactAddress, to id: Identifier, by caller: Caller, in writer: any Writer) throws {
    let advert = SubjectID(AdvertRow.idKind, id)
    // Only whoever sees the advert gets a link.
    let link = try parts.links.make(to: advert, by: caller, in: writer)
    guard let row = try AdvertRow.find(id, in: writer), let sender = try parts.people.person(caller.user, in: writer)
    else { throw KitError.notFound(AdvertRow.idKind) }
    let notice = Notice(
      Self.invited, key: link.id.text(kind: "link") + "/invited", about: advert,
      ["who": .name(sender.displayName, of: caller.user), "title": .text(row.title), "link": .text(link.token)])
    let language = try parts.people.preferences(of: caller.user, in: writer).language
    try parts.notices.notify(address, OutsideNotice(notice, from: caller.user, in: language), in: writer)
  }
}

extension PinboardHandlers {
  func inviteToAdvert(
    _ request: InviteToAdvertRequest, context: ServerContext
  ) async throws -> InviteToAdvertResponse {
    let caller = try context.requireCaller()
    let id = try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id")
    guard let address = board.parts.contacts.address(.email, parsing: request.email) else {
      throw KitError.invalid(FieldViolation(field: "email", description: "not an e-mail address"))
    }
    return try await board.kit.mutate(request, context) { [board] writer in
      try board.invite(address, to: id, by: caller, in: writer)
      return InviteToAdvertResponse()
    }
  }
}
