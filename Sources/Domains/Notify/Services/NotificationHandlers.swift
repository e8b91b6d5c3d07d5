import Base
import DomainKit
import NotifyAPI
import ProtobufRuntime
import RPC
import Storage
import Streaming

/// octet.notify.v1.NotificationService. Settings and staff's methods have files of their own.
struct NotificationHandlers: NotificationService {
  let core: NotifyCore

  var kit: Kit { core.kit }

  func watchInbox(
    _ request: WatchInboxRequest, responses: ResponseWriter<WatchInboxResponse>, context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    let limit = core.limits.shownInSnapshot
    try await kit.watch(
      core.topic(of: caller.user), resumeToken: request.resumeToken, responses, context,
      snapshot: { reader in
        let inbox = try Inbox.find(caller.user, in: reader)
        var snapshot = InboxSnapshot()
        let entries = try core.opened(InboxEntry.list(caller.user, limit: limit, in: reader), in: reader)
        snapshot.notices = entries.map { NotifyAPI.Notice($0, isUnread: $0.number > inbox.readThrough) }
        snapshot.unreadCount = inbox.unreadCount
        snapshot.lastNumber = inbox.lastNumber
        return snapshot
      },
      first: { snapshot, token in
        var response = WatchInboxResponse()
        response.resumeToken = token
        response.event = .snapshot(snapshot)
        return .send(response)
      },
      heartbeat: { WatchInboxResponse() },
      step: { event, _ in
        switch try event.shared({ try InboxNews($0) }) {
        case .whole(let message): return .share(message)
        case .sealed(let response): return .send(try await opened(response))
        }
      })
  }

  /// News with its names, as they can be read now.
  private func opened(_ response: WatchInboxResponse) async throws -> WatchInboxResponse {
    guard case .notice(let notice)? = response.event else { return response }
    return try await kit.database.read { [core] reader in
      var (response, notice) = (response, notice)
      notice.title = try core.opened(notice.title, in: reader)
      notice.text = try core.opened(notice.text, in: reader)
      response.event = .notice(notice)
      return response
    }
  }

  func listInbox(_ request: ListInboxRequest, context: ServerContext) async throws -> ListInboxResponse {
    let caller = try context.requireCaller()
    let page = try kit.page(request, context)
    let (inbox, rows) = try await kit.database.read { [core] reader in
      (
        try Inbox.find(caller.user, in: reader),
        try core.opened(
          InboxEntry.list(caller.user, below: page.before.rawValue, limit: page.fetch, in: reader), in: reader)
      )
    }
    let (items, next) = page.cut(rows) { [$0.number.sqlValue] }
    var response = ListInboxResponse()
    response.notices = items.map { NotifyAPI.Notice($0, isUnread: $0.number > inbox.readThrough) }
    response.nextPageToken = next
    response.unreadCount = inbox.unreadCount
    return response
  }

  func markRead(_ request: MarkReadRequest, context: ServerContext) async throws -> MarkReadResponse {
    let caller = try context.requireCaller()
    return try await kit.mutate(request, context) { writer in
      let inbox = try Inbox.take(caller.user, in: writer)
      let through = max(inbox.readThrough, min(request.number, inbox.lastNumber))
      if through > inbox.readThrough {
        try writer.execute("UPDATE notify_users SET read_through = $2 WHERE user_id = $1", caller.user, through)
        try kit.hub.publish(core.topic(of: caller.user), in: writer) { _, token in
          var response = WatchInboxResponse()
          response.resumeToken = token
          response.event = .readThrough(through)
          return response.encoded()
        }
      }
      var response = MarkReadResponse()
      response.readThrough = through
      response.unreadCount = inbox.lastNumber - max(through, inbox.sweptThrough)
      return response
    }
  }
}

/// An event of an inbox. The payload holds its own token, and all devices of the user share it.
private enum InboxNews: Sendable {
  case whole(EncodedMessage)
  /// With names to be opened when it is sent.
  case sealed(WatchInboxResponse)

  init(_ event: TopicEvent) throws {
    let response = try WatchInboxResponse(decoding: event.payload)
    if case .notice(let notice)? = response.event, SealedNames.areIn(notice.title) || SealedNames.areIn(notice.text) {
      self = .sealed(response)
    } else {
      self = .whole(EncodedMessage(response))
    }
  }
}
