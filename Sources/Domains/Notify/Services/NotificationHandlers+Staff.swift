import Base
import DomainKit
import NotifyAPI
import ProtobufRuntime
import RPC
import Storage
import WellKnownTypes

extension NotificationHandlers {
  func putTemplate(_ request: PutTemplateRequest, context: ServerContext) async throws -> Template {
    let caller = try context.requireCaller()
    var faults = Faults()
    let wanted = request.text ?? NoticeText()
    let found = try faults.check { try requireKind(request.kind, field: "kind") }
    let normal = try faults.check { try Self.normalized(wanted, field: "text") }
    let names = NoticeWords(wanted.title, wanted.text).names
    if names == nil || found.map({ names?.isSubset(of: $0.values.keys) == false }) ?? false {
      faults.note(NotifyError.badTemplate)
    }
    try faults.throwIfAny()
    guard let kind = found, let text = normal else { preconditionFailure("what is wrong was not thrown") }
    return try await kit.mutate(request, context) { [core] writer in
      let known: Int64? = try writer.firstForUpdate(
        "SELECT version FROM notify_templates WHERE kind = $1 AND language = $2", kind.name, text.language
      ) { $0[0] }
      guard request.etag == known.map({ String($0) }) ?? "" else { throw KitError.etagMismatch }
      let version = (known ?? 0) + 1
      let written = try writer.execute(
        """
        INSERT INTO notify_templates (kind, language, title, text, version, changed_at, changed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (kind, language) DO UPDATE SET title = excluded.title, text = excluded.text,
          version = excluded.version, changed_at = excluded.changed_at, changed_by = excluded.changed_by
          WHERE notify_templates.version = excluded.version - 1
        """, kind.name, text.language, text.title, text.text, version, core.now, caller.user)
      // Somebody else was faster.
      guard written == 1 else { throw KitError.etagMismatch }
      var template = Template()
      template.kind = kind.name
      template.text = text
      template.etag = String(version)
      return template
    }
  }

  func announce(_ request: AnnounceRequest, context: ServerContext) async throws -> Announcement {
    var content = StoredBroadcast()
    content.segment = request.segment
    var faults = Faults()
    content.texts = try request.texts.enumerated().compactMap { index, text in
      try faults.check { try Self.normalized(text, field: "texts[\(index)]") }
    }
    let languages = content.texts.map(\.language)
    if Set(languages).count < languages.count {
      faults.note(KitError.invalid(FieldViolation(field: "texts", description: "one language twice")))
    }
    if !languages.contains(Language.fallback) { faults.note(NotifyError.noEnglishText) }
    switch request.segment?.who {
    case .role(let role): try faults.check { try kit.roles.check(role, field: "segment.role") }
    case .everyone, .users: break
    case nil: faults.note(KitError.invalid(FieldViolation(field: "segment", description: "says nobody")))
    }
    try faults.throwIfAny()
    return try await kit.mutate(request, context) { [content, core] writer in
      let id = core.kit.identifiers.next()
      let audience: Audience =
        switch request.segment?.who {
        case .everyone: .everybody
        case .role(let role): .holders(of: role)
        case .users: Audience(ListedUsers.source, key: String(id.rawValue))
        case nil: preconditionFailure("a segment of nobody was not refused")
        }
      let name = id.text(kind: IDKind.announcement)
      try core.broadcast(id, Announcing.kind, key: name, object: "", to: audience, content, in: writer)
      var announcement = Announcement()
      announcement.id = name
      announcement.segment = request.segment
      announcement.createTime = Timestamp(core.now)
      return announcement
    }
  }

  /// A text with its language's tag in the normal form.
  private static func normalized(_ text: NoticeText, field: String) throws(KitError) -> NoticeText {
    guard let language = LanguageTag.normalized(text.language) else { throw .badLanguage(field: field + ".language") }
    var text = text
    text.language = language
    return text
  }

  func listDeliveries(
    _ request: ListDeliveriesRequest, context: ServerContext
  ) async throws -> ListDeliveriesResponse {
    let page = try kit.page(request, context)
    let user =
      try request.userID.isEmpty ? nil : Identifier(request.userID, kind: IDKind.user, field: "user_id")
    let state = request.state == .unspecified ? nil : request.state.rawValue
    guard user != nil || state != nil else { throw NotifyError.noFilter }
    // Below the last one of the page before, in the order of notices and ways.
    var after = (note: Int64.max, way: Int64.max)
    if case .integer(let note)? = page.after?.first, case .integer(let way)? = page.after?.last { after = (note, way) }
    let rows = try await kit.database.read { [after] reader in
      try reader.rows(
        """
        SELECT \(DeliveryRow.columns) FROM notify_deliveries
        WHERE \(user == nil ? "state = $1" : state == nil ? "user_id = $1" : "user_id = $1 AND state = $5")
          AND (note_id, way) < ($2, $3)
        ORDER BY note_id DESC, way DESC LIMIT $4
        """,
        [user?.sqlValue ?? state.sqlValue, after.note.sqlValue, after.way.sqlValue, page.fetch.sqlValue]
          + (user != nil && state != nil ? [state.sqlValue] : []), make: DeliveryRow.init)
    }
    let (items, next) = page.cut(rows) { [$0.notice.sqlValue, $0.way.rawValue.sqlValue] }
    var response = ListDeliveriesResponse()
    response.deliveries = items.map { Delivery($0) }
    response.nextPageToken = next
    return response
  }
}
