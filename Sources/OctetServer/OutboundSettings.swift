import Base
import Couriers
import Notify

/// How what people are told leaves the server: by servers that are named, and for the rest into a folder.
struct OutboundSettings: Sendable {
  private let spool: String
  private let mail: SMTPSettings?
  private let pushOrigins: [String]
  private let pushCertificates: String?

  /// - Parameter data: the data directory, which has the spool by default.
  init(_ values: SettingValues, data: String) throws(UsageError) {
    spool = values[Self.spool] ?? data + "/spool"
    mail = try Self.mail(values)
    pushOrigins = values.list(Self.pushOrigins)
    pushCertificates = values[Self.pushAuthority]
    if let wrong = pushOrigins.first(where: { !PushPoster.isOrigin($0) }) {
      throw UsageError("push-origins: \(wrong) is not https://HOST[:PORT] or http://HOST[:PORT]")
    }
    if pushCertificates != nil, pushOrigins.isEmpty { throw UsageError("push-ca needs push-origins") }
  }

  private static func mail(_ values: SettingValues) throws(UsageError) -> SMTPSettings? {
    guard let server = values[Self.server] else {
      let all = [sender, user, password, smtpAuthority, unsubscribe]
      if let useless = all.first(where: { values[$0] != nil }) { throw UsageError("\(useless.name) needs smtp-server") }
      return nil
    }
    let words = server.split(separator: ":", omittingEmptySubsequences: false)
    guard words.count == 2, let port = UInt16(words[1]), port > 0, !words[0].isEmpty,
      words[0].utf8.allSatisfy({ (0x21...0x7e).contains($0) && !"/@?#".utf8.contains($0) })
    else { throw UsageError("smtp-server: \(server) is not HOST:PORT") }
    guard let from = values[sender], SMTPSettings.isSender(from) else {
      throw UsageError("smtp-server needs smtp-from, an e-mail address")
    }
    var mail = SMTPSettings(server: server, sender: from)
    switch (values[user], values[password]) {
    case (let user?, let password?): mail.login = (user, password)
    case (nil, nil): break
    default: throw UsageError("smtp-user and smtp-password go together")
    }
    mail.needsTLS = try values.isOn(tls)
    if !mail.needsTLS, mail.login != nil { throw UsageError("smtp-password is not sent without smtp-tls") }
    mail.certificates = values[smtpAuthority]
    mail.unsubscribeURL = values[unsubscribe]
    if let url = mail.unsubscribeURL, !url.hasPrefix("https://"), !url.hasPrefix("http://") {
      throw UsageError("unsubscribe-url: \(url) is not a URL")
    }
    return mail
  }

  /// Opens the ways out. Whether other servers can be reached shows later.
  func open(clock: any WallClock, log: Log) throws(StartFailure) -> OutboundWays {
    do {
      let folder = try SpoolFolder(folder: spool)
      return OutboundWays(
        push: pushOrigins.isEmpty ? folder : PushPoster(origins: pushOrigins, certificates: pushCertificates),
        mail: mail.map { SMTPMailer($0, clock: clock, log: log) } ?? folder, sms: folder)
    } catch {
      throw StartFailure(.storage, "\(spool): \(error)")
    }
  }

  private static let spool = Setting(
    name: "spool", placeholder: "DIR", fallback: nil,
    help: "Where letters to people are laid for which there is no server: by default in --data.")
  private static let server = Setting(
    name: "smtp-server", placeholder: "HOST:PORT", fallback: nil,
    help: "Give mails to this mail server, after STARTTLS, instead of the spool.")
  private static let sender = Setting(
    name: "smtp-from", placeholder: "ADDRESS", fallback: nil, help: "Whom mails are from.")
  private static let user = Setting(
    name: "smtp-user", placeholder: "NAME", fallback: nil, help: "Who logs in at --smtp-server.")
  private static let password = Setting(
    name: "smtp-password", placeholder: "PASSWORD", fallback: nil,
    help: "Of --smtp-user: by OCTET_SMTP_PASSWORD or in the file, never as a flag.", isSecret: true)
  private static let tls = Setting(
    name: "smtp-tls", placeholder: nil, fallback: "true",
    help: "Say nothing before STARTTLS. Off only for a mail server on the same machine.")
  private static let smtpAuthority = Setting(
    name: "smtp-ca", placeholder: "FILE", fallback: nil,
    help: "Certificates to trust at --smtp-server, PEM, in place of the system's.")
  private static let unsubscribe = Setting(
    name: "unsubscribe-url", placeholder: "URL", fallback: nil,
    help: "A page that stops mails, to end mails with; the token is put behind it: https://example.com/stop?token=.")
  private static let pushOrigins = Setting(
    name: "push-origins", placeholder: "A,B", fallback: nil,
    help: "Give push messages to these servers, such as https://push.example.com, and to no others.")
  private static let pushAuthority = Setting(
    name: "push-ca", placeholder: "FILE", fallback: nil,
    help: "Certificates to trust at --push-origins, PEM, in place of the system's.")

  static let all = [
    spool, server, sender, user, password, tls, smtpAuthority, unsubscribe, pushOrigins, pushAuthority,
  ]
}
