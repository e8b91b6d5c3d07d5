import Base
import DomainKit

/// A letter as a mail (RFC 5322), in plain text.
struct MailMessage {
  let letter: OutboundLetter
  let sender: String
  /// Where a reader stops mails of this kind, without the token; nil if there is no such page.
  let unsubscribeURL: String?
  let date: Instant

  /// Of a line of base 64, as RFC 2045 §6.8 says.
  private static let lineLength = 76
  /// Bytes of one encoded word: 75 characters with what is around it (RFC 2047 §2), and not in the midst of a character.
  private static let wordBytes = 45
  /// Of the first word, which stands behind the header's name in a line of at most 76 characters.
  private static let firstWordBytes = 36

  /// The message; its lines end in CR and LF.
  var bytes: [UInt8] {
    var lines = [
      "From: <\(sender)>", "To: <\(letter.address)>", "Subject: \(Self.encodedWords(letter.title))",
      "Date: \(Self.date(date))", "Message-ID: <\(letter.key)@\(domain)>", "MIME-Version: 1.0",
      "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64", "Auto-Submitted: auto-generated",
    ]
    if let link {
      lines += ["List-Unsubscribe: <\(link)>"]
    }
    let text = Base64.standard.encode(Array(body.utf8), padded: true)
    lines.append("")
    var rest = text[...]
    while !rest.isEmpty {
      lines.append(String(rest.prefix(Self.lineLength)))
      rest = rest.dropFirst(Self.lineLength)
    }
    return Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
  }

  /// Whether an address can stand in a header and in SMTP: printable ASCII, without what ends or quotes one.
  static func isPlain(_ address: String) -> Bool {
    address.contains("@") && address.utf8.count <= 254
      && address.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"<>()[],;:\\\"".utf8.contains($0) }
  }

  private var domain: Substring { sender.split(separator: "@").last ?? "localhost" }

  private var link: String? {
    guard let unsubscribeURL, let token = letter.unsubscribeToken else { return nil }
    // The token has only characters that a URL may hold.
    return unsubscribeURL + token
  }

  private var body: String {
    let end = link.map { "\n\n--\nTo stop mails like this: \($0)\n" } ?? "\n"
    return (letter.text.isEmpty ? letter.title : letter.text) + end
  }

  /// A header's text, in words of base 64 (RFC 2047) so that no text can end the header.
  static func encodedWords(_ text: String) -> String {
    var words: [String] = []
    var word: [UInt8] = []
    for character in text.unicodeScalars.map({ $0.value < 0x20 ? " " : $0 }) {
      let bytes = Array(String(character).utf8)
      if word.count + bytes.count > (words.isEmpty ? firstWordBytes : wordBytes) {
        words.append(Base64.standard.encode(word, padded: true))
        word = []
      }
      word += bytes
    }
    return (words + [Base64.standard.encode(word, padded: true)]).map { "=?utf-8?B?\($0)?=" }.joined(separator: "\r\n ")
  }

  /// `Thu, 01 Jan 2026 00:00:00 +0000`.
  static func date(_ instant: Instant) -> String {
    let text = instant.iso8601
    let day = instant.milliseconds / 86_400_000
    let civil = CivilDate(daysSinceEpoch: day)
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    // 1970-01-01 was a Thursday.
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(day % 7)]
    let dayText = (civil.day < 10 ? "0" : "") + String(civil.day)
    return "\(weekday), \(dayText) \(months[Int(civil.month) - 1]) \(civil.year) \(text.dropFirst(11).prefix(8)) +0000"
  }
}
