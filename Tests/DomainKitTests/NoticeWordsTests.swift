import Base
import DomainKit
import Testing

@Suite struct NoticeWordsTests {
  @Test func `values stand in for names, and doubled braces for braces`() {
    let words = NoticeWords("{a} and {b_c}", "{{a}} costs {a}")
    #expect(words.names == ["a", "b_c"])
    let filled = words.filled(with: ["a": .text("one\ntwo"), "b_c": .number(-3)])
    #expect(filled == NoticeWords("one two and -3", "{a} costs one two"))
    #expect(words.filled(with: [:]).title == " and ")
  }

  @Test(arguments: ["{", "}", "{a", "a}", "{}", "{A}", "{a b}", "{a}}", "{{{a}}"])
  func `a brace without its other half is no template`(text: String) {
    #expect(NoticeWords(text).names == nil)
  }

  @Test(
    arguments: [
      (.money(minorUnits: 1250, currency: "EUR"), "12.50 EUR"), (.money(minorUnits: -5, currency: "EUR"), "-0.05 EUR"),
      (.money(minorUnits: 100, currency: "JPY"), "100 JPY"), (.money(minorUnits: 1, currency: "KWD"), "0.001 KWD"),
      (.time(Instant(seconds: 1_767_225_600), offset: 7200), "2026-01-01 02:00"),
    ] as [(NoticeValue, String)])
  func `values are shown as people read them`(value: NoticeValue, text: String) {
    #expect(value.shown == text)
  }

  @Test func `what is too long is cut`() {
    let filled = NoticeWords("{a}", "{a}").filled(with: ["a": .text(String(repeating: "é", count: 9999))])
    #expect(filled.title.unicodeScalars.count == NoticeWords.titleLimit)
    #expect(filled.text.unicodeScalars.count == NoticeWords.textLimit)
  }
}
