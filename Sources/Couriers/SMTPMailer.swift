public import Base
internal import Curl
public import DomainKit

/// Gives mails to one mail server, which the operator names, by SMTP.
public final class SMTPMailer: Outbound {
  /// Answers of SMTP that turn down this client and not the mail.
  private static let loginStatuses = [530, 534, 535, 538]

  private let settings: SMTPSettings
  private let client: CurlClient
  private let clock: any WallClock
  private let log: Log

  public init(_ settings: SMTPSettings, clock: any WallClock, log: Log) {
    self.settings = settings
    self.clock = clock
    self.log = log
    client = CurlClient(options: .couriers("smtp", certificates: settings.certificates))
  }

  public func accepts(_ address: String) -> Bool { MailMessage.isPlain(address) }

  public func send(_ letter: OutboundLetter) async -> SendOutcome {
    guard MailMessage.isPlain(letter.address) else { return .refused("the address cannot be written in a mail") }
    let message = MailMessage(
      letter: letter, sender: settings.sender, unsubscribeURL: settings.unsubscribeURL, date: clock.now())
    let login = settings.login.map { CurlLogin(user: $0.user, password: $0.password) }
    let request = CurlRequest(
      url: "smtp://\(settings.server)",
      .mail(
        from: settings.sender, to: letter.address, body: message.bytes, login: login, needsTLS: settings.needsTLS),
      answerBytes: CurlOptions.answerBytes)
    do {
      _ = try await client.send(request)
      return .accepted
    } catch let failure as CurlFailure {
      let words = failure.status == 0 ? failure.message : "\(failure.message), SMTP \(failure.status)"
      if failure.isMailRefused, failure.status >= 500, !Self.loginStatuses.contains(failure.status) {
        return .refused(words)
      }
      log.warning("mail_not_sent", ["key": .text(letter.key), "error": .text(words)])
      return .retry(words)
    } catch {
      return .retry("\(error)")
    }
  }

  public func close() async { client.close() }
}

/// Which mail server, and as whom.
public struct SMTPSettings: Sendable {
  /// `mail.example.com:587`.
  public var server: String
  /// The address that mails are from.
  public var sender: String
  public var login: (user: String, password: String)?
  /// Whether nothing is said before STARTTLS. Off only for a server on the same machine.
  public var needsTLS = true
  /// A file of certificates to trust in place of the system's.
  public var certificates: String?
  /// Where a reader stops mails; the token is put behind it. Nil: mails say nothing of it.
  public var unsubscribeURL: String?

  public init(server: String, sender: String) {
    self.server = server
    self.sender = sender
  }

  /// Whether an address can be that of a sender.
  public static func isSender(_ address: String) -> Bool { MailMessage.isPlain(address) }
}

extension CurlOptions {
  /// The most that is read of what a server answers.
  static let answerBytes = 16_384

  /// What servers of mail and push messages are given: more letters than a node sends at the same time.
  static func couriers(_ name: String, certificates: String?) -> CurlOptions {
    CurlOptions(
      name: name, requests: 256, connections: 8, connectTimeout: .seconds(10), attemptTimeout: .seconds(30),
      stallTimeout: .seconds(20), certificates: certificates)
  }
}
