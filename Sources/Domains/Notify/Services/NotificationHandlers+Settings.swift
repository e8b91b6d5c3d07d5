import Base
import DomainKit
import NotifyAPI
import RPC
import Storage

extension NotificationHandlers {
  func getChannels(_ request: GetChannelsRequest, context: ServerContext) async throws -> ChannelSettings {
    let caller = try context.requireCaller()
    return try await kit.database.read { [core] in
      try core.settings(of: caller.user, askedIn: caller.session, in: $0)
    }
  }

  func setChannels(_ request: SetChannelsRequest, context: ServerContext) async throws -> ChannelSettings {
    let caller = try context.requireCaller()
    var faults = Faults()
    let quiet = try faults.check { try request.quietHours.map(quietTime) } ?? nil
    let choices = try request.kinds.enumerated().compactMap { index, wanted in
      try faults.check {
        let kind = try requireKind(wanted.kind, field: "kinds[\(index)].kind")
        guard kind.importance == .normal else { throw NotifyError.kindFixed(field: "kinds[\(index)].kind") }
        return (kind.name, wanted.channels.compactMap(\.way?.option).reduce(into: Ways()) { $0.formUnion($1) })
      }
    }
    try faults.throwIfAny()
    return try await kit.mutate(request, context) { [core] writer in
      let inbox = try Inbox.take(caller.user, in: writer)
      guard request.etag == String(inbox.version) else { throw KitError.etagMismatch }
      for (kind, ways) in choices { try core.choose(ways, for: kind, by: caller.user, in: writer) }
      try writer.execute(
        "UPDATE notify_users SET version = version + 1, quiet_start = $2, quiet_end = $3 WHERE user_id = $1",
        caller.user, quiet?.start, quiet?.end)
      return try core.settings(of: caller.user, askedIn: caller.session, in: writer)
    }
  }

  func registerPush(_ request: RegisterPushRequest, context: ServerContext) async throws -> PushDevice {
    let caller = try context.requireCaller()
    guard core.outbound[.push]?.accepts(request.address) == true else { throw NotifyError.pushAddressRefused }
    return try await kit.mutate(request, context) { [core] writer in
      let device = try core.register(
        request.address, named: request.name, for: caller.user, in: caller.session, writer)
      return PushDevice(device, askedIn: caller.session)
    }
  }

  func removePush(_ request: RemovePushRequest, context: ServerContext) async throws -> RemovePushResponse {
    let caller = try context.requireCaller()
    let id = try Identifier(request.pushID, kind: IDKind.push, field: "push_id")
    return try await kit.mutate(request, context) { writer in
      let removed = try writer.execute("DELETE FROM notify_devices WHERE id = $1 AND user_id = $2", id, caller.user)
      guard removed == 1 else { throw KitError.notFound("device") }
      return RemovePushResponse()
    }
  }

  func unsubscribe(_ request: UnsubscribeRequest, context: ServerContext) async throws -> UnsubscribeResponse {
    if let stopped = core.outsideKeys.parse(stopToken: request.token) {
      return try await kit.mutate(request, context, scope: .client(stopped.lookup)) { [core] writer in
        try core.stopOutside(stopped.lookup, in: writer)
        var response = UnsubscribeResponse()
        response.kind = stopped.sort.name
        return response
      }
    }
    guard let token = UnsubscribeToken(request.token, key: core.unsubscribeKey) else {
      throw NotifyError.badUnsubscribeToken
    }
    return try await kit.mutate(request, context, scope: .client(Array(request.token.utf8))) { [core] writer in
      // Of a kind that there is no more, no mail comes anyhow, nor to whom is no more.
      if let kind = core.catalog[token.kind], kind.importance == .normal,
        try core.takeInbox(of: token.user, in: writer) != nil
      {
        var ways = try core.chosenWays(kind, of: token.user, in: writer)
        if ways.remove(.mail) != nil {
          try core.choose(ways, for: kind.name, by: token.user, in: writer)
          try writer.execute("UPDATE notify_users SET version = version + 1 WHERE user_id = $1", token.user)
        }
      }
      var response = UnsubscribeResponse()
      response.kind = token.kind
      return response
    }
  }

  func requireKind(_ name: String, field: String) throws(NotifyError) -> NoticeKind {
    guard let kind = core.catalog[name] else { throw .unknownKind(field: field) }
    return kind
  }

  private func quietTime(_ hours: QuietHours) throws(NotifyError) -> QuietTime {
    guard hours.startMinute != hours.endMinute else { throw .badQuietHours }
    return QuietTime(start: Int64(hours.startMinute), end: Int64(hours.endMinute))
  }
}

extension NotifyCore {
  func choose(_ ways: Ways, for kind: String, by user: Identifier, in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO notify_choices (user_id, kind, ways) VALUES ($1, $2, $3)
      ON CONFLICT (user_id, kind) DO UPDATE SET ways = excluded.ways
      """, user, kind, ways.rawValue)
  }

  /// - Parameter session: of who asks; nil for nobody's.
  func settings(
    of user: Identifier, askedIn session: Identifier?, in reader: any Reader
  ) throws -> ChannelSettings {
    let inbox = try Inbox.find(user, in: reader)
    var settings = ChannelSettings()
    let choices = Dictionary(
      uniqueKeysWithValues: try reader.rows("SELECT kind, ways FROM notify_choices WHERE user_id = $1", user) {
        ($0[0] as String, Ways(rawValue: $0[1]))
      })
    // The words of letters are no notices: they go one way, and there is nothing to choose.
    settings.kinds = catalog.all.filter { $0.importance == .normal || !$0.ways.isEmpty }.map { kind in
      let ways = kind.importance == .normal ? choices[kind.name] ?? kind.ways : kind.ways
      var shown = KindChannels()
      shown.kind = kind.name
      shown.channels = Way.allCases.filter { ways.contains($0.option) }.map { Channel($0) }
      shown.importance =
        switch kind.importance {
        case .normal: .normal
        case .security: .security
        case .safety: .safety
        }
      return shown
    }
    settings.quietHours = inbox.quietHours.map { quiet in
      var hours = QuietHours()
      hours.startMinute = Int32(quiet.start)
      hours.endMinute = Int32(quiet.end)
      return hours
    }
    settings.devices = try devices(of: user, in: reader).map { PushDevice($0, askedIn: session) }
    settings.etag = String(inbox.version)
    return settings
  }
}
