import Base
import Cryptography
import DomainKit
import NotifyAPI
import Storage
import Streaming

/// What all parts of notify work with. Its methods in other files run inside a transaction that the caller has opened,
/// unless they are `async`.
struct NotifyCore: Sendable {
  let kit: Kit
  let timers: Timers
  let people: any People
  let contacts: any Contacts
  let catalog: NoticeCatalog
  let audiences: AudienceRegistry
  let letters: LetterRegistry
  let outbound: [Way: any Outbound]
  let limits: NotifyLimits
  let unsubscribeKey: SecretKey
  let deviceKey: SecretKey
  let outsideKeys: OutsideKeys

  var now: Instant { kit.clock.now() }

  /// What happens in an inbox, as encoded `WatchInboxResponse`.
  func topic(of user: Identifier) -> Topic { Topic("inbox", user.text(kind: IDKind.user)) }
}

/// All kinds of notices that the domains of this server know.
struct NoticeCatalog: Sendable {
  private let kinds: [String: NoticeKind]
  /// In the order of their names.
  let all: [NoticeKind]

  init(_ kinds: [NoticeKind]) {
    self.kinds = Dictionary(kinds.map { ($0.name, $0) }) { kind, _ in
      preconditionFailure("two kinds of notices \(kind.name)")
    }
    all = kinds.sorted { $0.name < $1.name }
  }

  subscript(name: String) -> NoticeKind? { kinds[name] }
}

/// All sources of audiences; filled once, before the first call.
final class AudienceRegistry: Sendable {
  private let sources = Locked([String: any AudienceSource]())

  func register(_ added: [any AudienceSource]) {
    sources.withLock { sources in
      for source in added {
        precondition(sources.updateValue(source, forKey: source.name) == nil, "two audiences \(source.name)")
      }
    }
  }

  subscript(name: String) -> (any AudienceSource)? { sources.withLock { $0[name] } }
}

/// All sources of letters whose words are not stored; filled once, before the timers are started.
final class LetterRegistry: Sendable {
  private let sources = Locked([String: any LetterSource]())

  func register(_ added: [any LetterSource]) {
    sources.withLock { sources in
      for source in added {
        precondition(sources.updateValue(source, forKey: source.name) == nil, "two sources of letters \(source.name)")
      }
    }
  }

  subscript(name: String) -> (any LetterSource)? { sources.withLock { $0[name] } }
}

/// One way outside of the inbox.
enum Way: Int64, Sendable, CaseIterable {
  case push = 1
  case mail = 2
  case sms = 3

  /// In keys and folders.
  var name: String {
    switch self {
    case .push: "push"
    case .mail: "mail"
    case .sms: "sms"
    }
  }

  /// The kind of the jobs that send; each way has a bound of its own.
  var job: String { "notify." + name }

  var option: Ways {
    switch self {
    case .push: .push
    case .mail: .mail
    case .sms: .sms
    }
  }

  /// Whether it makes a noise: such ways wait for the end of quiet hours.
  var isLoud: Bool { self != .mail }
}

/// The kind prefixes of the domain's ids.
enum IDKind {
  static let user = "user"
  static let notice = "note"
  static let push = "push"
  static let announcement = "anno"
}
