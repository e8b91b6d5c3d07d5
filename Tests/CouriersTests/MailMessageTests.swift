import Base
import DomainKit
import Foundation
import Testing

@testable import Couriers

@Suite struct MailMessageTests {
  private func letter(_ title: String, _ text: String = "", token: String? = nil) -> OutboundLetter {
    OutboundLetter(
      key: "note_1.mail", way: "mail", address: "ada@example.org", title: title, text: text, kind: "shop.tip",
      notice: "note_1", unsubscribeToken: token)
  }

  private func lines(_ letter: OutboundLetter, stopAt url: String? = nil) -> [String] {
    let message = MailMessage(
      letter: letter, sender: "octet@example.com", unsubscribeURL: url, date: Instant(seconds: 1_767_225_600))
    return String(decoding: message.bytes, as: UTF8.self).components(separatedBy: "\r\n")
  }

  @Test func `has the headers that a mail needs, alike for each try`() {
    let lines = lines(letter("A tip"))
    #expect(
      lines.prefix(9) == [
        "From: <octet@example.com>", "To: <ada@example.org>", "Subject: =?utf-8?B?QSB0aXA=?=",
        "Date: Thu, 01 Jan 2026 00:00:00 +0000", "Message-ID: <note_1.mail@example.com>", "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64",
        "Auto-Submitted: auto-generated",
      ])
    #expect(lines[9].isEmpty)
  }

  @Test func `no title and no text can add a header or end the mail`() {
    let evil = letter("x\r\nBcc: eve@example.org\r\n\r\n.", "\r\n.\r\nQUIT\r\n")
    let found = lines(evil)
    #expect(found.count { $0.hasPrefix("Bcc") } == 0 && !found.contains("."))
    #expect(found.allSatisfy { $0.utf8.count <= 78 })
  }

  @Test func `long titles are folded between characters`() throws {
    let title = String(repeating: "ä世", count: 40)
    let words = MailMessage.encodedWords(title).components(separatedBy: "\r\n ")
    #expect(words.count > 1 && words.allSatisfy { $0.utf8.count <= 75 })
    let parts = try words.map { try #require(Base64.standard.decode(String($0.dropFirst(10).dropLast(2)))) }
    #expect(parts.allSatisfy { String(validating: $0, as: UTF8.self) != nil })
    #expect(String(decoding: parts.flatMap { $0 }, as: UTF8.self) == title)
    // RFC 2047 §2: of a line with an encoded word.
    #expect(lines(letter(title)).filter { $0.contains("=?utf-8?") }.allSatisfy { $0.utf8.count <= 76 })
  }

  @Test func `a mail that can be stopped says how, in its head and in its text`() throws {
    let found = lines(letter("A tip", "Text", token: "ou1.a.b"), stopAt: "https://example.com/stop?token=")
    #expect(found.contains("List-Unsubscribe: <https://example.com/stop?token=ou1.a.b>"))
    let body = try #require(Base64.standard.decode(found.drop { !$0.isEmpty }.joined()))
    #expect(String(decoding: body, as: UTF8.self).hasSuffix("https://example.com/stop?token=ou1.a.b\n"))
    #expect(!lines(letter("A tip"), stopAt: "https://example.com/").contains { $0.hasPrefix("List") })
  }

  @Test(arguments: ["ada@example.org", "o'neil+x@example.org"])
  func `plain addresses can be written`(address: String) { #expect(MailMessage.isPlain(address)) }

  @Test(arguments: ["", "ada", "a@b\r\nRCPT TO:<c@d>", "a@b>", "a b@c", "ä@example.org", "a,b@c", "\"a\"@b"])
  func `other addresses cannot`(address: String) { #expect(!MailMessage.isPlain(address)) }

  @Test(arguments: [(0, "Thu, 01 Jan 1970"), (951_782_400, "Tue, 29 Feb 2000"), (1_798_675_200, "Thu, 31 Dec 2026")])
  func `dates have the right day of the week`(seconds: Int64, text: String) {
    #expect(MailMessage.date(Instant(seconds: seconds)).hasPrefix(text))
  }
}

@Suite struct PushAddressTests {
  @Test func `only addresses at allowed origins are accepted`() async {
    let push = PushPoster(origins: ["https://push.example.com", "http://127.0.0.1:80"])
    for address in ["https://push.example.com/a?b=c", "http://127.0.0.1:80/"] { #expect(push.accepts(address)) }
    for address in [
      "https://push.example.com", "https://push.example.com.evil.org/a", "https://push.example.com@evil.org/",
      "http://push.example.com/a", "http://127.0.0.1:8080/", "https://push.example.com/a b",
      "https://push.example.com/\r\n",
      "",
    ] { #expect(!push.accepts(address), "\(address)") }
    await push.close()
  }

  @Test func `origins are schemes and hosts`() {
    for origin in ["https://push.example.com", "http://[::1]:8080"] { #expect(PushPoster.isOrigin(origin)) }
    for text in ["push.example.com", "https://", "https://a/b", "https://a@b", "ftp://a", "https://a b"] {
      #expect(!PushPoster.isOrigin(text))
    }
  }
}

@Suite struct SpoolFolderTests {
  @Test func `a letter is one file, whichever how often it comes`() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "octet-spool-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let spool = try SpoolFolder(folder: folder.path)
    var letter = OutboundLetter(
      key: "note_1.mail", way: "mail", address: "a@b.example", title: "First", text: "long text", kind: "k",
      notice: "note_1")
    #expect(await spool.send(letter) == .accepted)
    letter.text = "short"
    #expect(await spool.send(letter) == .accepted)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["note_1.mail.json"])
    let data = try Data(contentsOf: folder.appending(path: "note_1.mail.json"))
    #expect(try JSONDecoder().decode(OutboundLetter.self, from: data) == letter)
    try FileManager.default.removeItem(at: folder)
    guard case .retry = await spool.send(letter) else {
      Issue.record("a folder that is gone takes letters")
      return
    }
    await spool.close()
  }
}
