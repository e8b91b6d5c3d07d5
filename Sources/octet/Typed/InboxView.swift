import Base
import Glibc
import ProtobufRuntime

/// `octet notify inbox`: what the caller was told, as it comes. On a terminal a list that is redrawn in place, with
/// keys; otherwise a line for each notice.
struct InboxView {
  static let method = "octet.notify.v1.NotificationService.WatchInbox"
  private static let service = "octet.notify.v1.NotificationService"

  private let client: Client
  private let type: String

  init(client: Client, type: String) {
    self.client = client
    self.type = type
  }

  /// What is known of the inbox.
  struct Inbox: Sendable {
    /// Newest first.
    private(set) var notices: [Notice] = []
    private(set) var unread: Int64 = 0
    private(set) var last: Int64 = 0
    private var readThrough: Int64 = 0

    /// More than any terminal has rows.
    private static let mostNotices = 500

    mutating func begin(_ snapshot: DynamicMessage) {
      notices = snapshot.messages("notices").map(Notice.init)
      unread = snapshot.integer("unread_count") ?? 0
      last = snapshot.integer("last_number") ?? 0
      readThrough = last &- unread
    }

    mutating func add(_ notice: Notice) {
      notices.insert(notice, at: 0)
      if notices.count > Self.mostNotices { notices.removeLast() }
      last = max(last, notice.number)
      unread = last &- readThrough
    }

    mutating func read(through number: Int64) {
      readThrough = max(readThrough, number)
      unread = max(last &- readThrough, 0)
      for index in notices.indices where notices[index].number <= number { notices[index].isUnread = false }
    }
  }

  /// One notice.
  struct Notice: Sendable {
    let number: Int64
    let kind: String
    let title: String
    let text: String
    let seconds: Int64
    var isUnread: Bool

    init(_ message: DynamicMessage) {
      number = message.integer("number") ?? 0
      kind = message.text("kind")
      title = message.text("title")
      text = message.text("text").split(separator: "\n").joined(separator: " ")
      seconds = message.message("create_time")?.integer("seconds") ?? 0
      isUnread = message.integer("unread") == 1
    }

    /// `● 2026-01-31 18:30  12  A driver is there. The white one  rides.driver_arrived`
    func line(mark: String) -> String {
      let said = text.isEmpty ? title : "\(title): \(text)"
      return Terminal.plain("\(mark) \(ClockText.minute(seconds))  \(number)  \(said)  [\(kind)]")
    }
  }

  func run(_ runner: CallRunner, _ request: JSONText?) async throws {
    var inbox = Inbox()
    var display = Terminal.isInteractive ? LiveDisplay() : nil
    let lastNumber = Locked<Int64>(0)
    let global = client.global
    let keys =
      display == nil ? nil : Keys { if $0 == "r" { await Self.markRead(through: lastNumber.withLock { $0 }, global) } }
    defer { keys?.end() }
    try await runner.run(.objects([Array((request ?? .object([])).text.utf8)])) { bytes in
      guard let row = DynamicMessage(bytes, type: type, pool: client.pool) else { return }
      let lines = take(row, into: &inbox)
      lastNumber.withLock { $0 = inbox.last }
      if display != nil {
        display?.draw(picture(inbox, hasKeys: keys != nil))
      } else {
        for line in lines { Output.print(line) }
      }
    }
  }

  /// - Returns: what has happened, in lines.
  private func take(_ row: DynamicMessage, into inbox: inout Inbox) -> [String] {
    if let snapshot = row.message("snapshot") {
      inbox.begin(snapshot)
      return inbox.notices.reversed().map { $0.line(mark: $0.isUnread ? "*" : " ") }
    }
    if let message = row.message("notice") {
      let notice = Notice(message)
      inbox.add(notice)
      return [notice.line(mark: notice.isUnread ? "*" : " ")]
    }
    if let number = row.integer("read_through") {
      inbox.read(through: number)
      return ["- read up to \(number)"]
    }
    return []
  }

  private func picture(_ inbox: Inbox, hasKeys: Bool) -> [String] {
    let count = inbox.unread == 0 ? "nothing unread" : "\(inbox.unread) unread"
    let help = hasKeys ? "   r: mark all as read   Ctrl-C: leave" : ""
    let rows = max(Terminal.size.rows - 3, 1)
    let lines = inbox.notices.prefix(rows).map { $0.line(mark: $0.isUnread ? "●" : " ") }
    return ["\u{1b}[1mInbox\u{1b}[0m  \(count)\(help)"] + (lines.isEmpty ? ["  nobody has told you anything"] : lines)
  }

  /// By a connection of its own: the one that shows the inbox belongs to its stream. What comes of it, the stream tells;
  /// if it fails, the marks stay.
  private static func markRead(through number: Int64, _ global: GlobalOptions) async {
    guard number > 0, let client = try? await Client(global, environment: Environment()) else { return }
    _ = try? await client.unary(
      "\(service)/MarkRead",
      .object([("requestId", .string(RequestID.make())), ("number", .string(String(number)))]))
  }
}
