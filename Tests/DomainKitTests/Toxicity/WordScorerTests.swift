import Glibc
import Testing

@testable import DomainKit

@Suite struct WordScorerTests {
  private let scorer = WordScorer()

  private func value(_ text: String, _ language: String = "en") throws -> Int {
    try scorer.score(text, language: language).value
  }

  @Test(arguments: [
    // Cyrillic, full-width, mathematical, small capitals, circled, squared, flags' letters, digits and signs.
    "You are an idiot", "іdіоt", "ｉｄｉｏｔ", "𝕚𝕕𝕚𝕠𝕥", "ɪᴅɪᴏᴛ", "ⓘⓓⓘⓞⓣ", "🅸🅳🅸🅾🆃", "🇮🇩🇮🇴🇹", "1d10t", "!d!ot? 1d!0t", "id|ot",
    "i\u{200B}d\u{200D}i\u{AD}o\u{FEFF}t", "í\u{336}d\u{489}ïòt", "iiiidddiiioootttt", "IDIOT!!!", "i d i o t",
    "i.d.i.o.t",
    "i-d-i-o-t", "idiot1", "МОRОN", "mоrоn", "μοrοn", "a$$hole", "@sshole", "fuсk off", "b1tch", "c u n t",
    "kіll yourself",
    "КILL YОURSЕLF", "as\u{301}shole", "fuck. you", "kys",
  ])
  func `an insult is found, whatever letters it is written in`(text: String) throws {
    #expect(try value(text) >= ToxicityScore.refused)
  }

  @Test(arguments: [
    "You are not an idiot", "he isn't such an idiot", "He isn’t an idiot", "nobody is an idiot",
    "\"idiot\" is a Greek word",
    "“idiot” is a Greek word", "„Idiot“ ist Griechisch", "« idiot » vient du grec", "the word 'idiot' is Greek",
    "Du bist kein Idiot", "tu n'es pas un idiot", "you are not an 1d10t", "say \"іdіоt\"", "это не идиот",
    "no eres un idiota",
  ])
  func `what is negated or quoted counts half`(text: String) throws {
    #expect(try value(text) == 425)
  }

  @Test(arguments: [
    "No. You idiot", "no, you idiot", "not\nidiot", "he is an idiot", "\"you idiot", "you idiot\"",
    "not one two three idiot",
    "'you idiot", "\"a\" idiot \"b\"", "nobody likes you", "idiot, not me",
  ])
  func `what only looks negated or quoted counts whole`(text: String) throws {
    #expect(try value(text) >= ToxicityScore.refused)
  }

  @Test(arguments: [
    ("", "en"), ("   \n", ""), ("Have a nice day, see you at 10:30!", "en"), ("as soon as possible", "en"),
    ("455 EUR, 4$", "en"),
    ("Scunthorpe, Essex", "en"), ("shiitake mushrooms", "en"), ("Der Berg ist dick, das Licht ist hell", "de"),
    ("je suis en retard", "fr"), ("una pizza con funghi", "it"), ("feliz año nuevo", "es"),
    ("penne all'arrabbiata", "it"),
    ("Johnny Depp", "en"), ("send me a pic", "en"), ("тот дом", "ru"), ("日本語の文章です", "ja"), ("مرحبا بكم", "ar"),
    ("123456789", ""),
  ])
  func `harmless texts are harmless`(text: String, language: String) throws {
    #expect(try value(text, language) < ToxicityScore.reviewed)
  }

  @Test func `words of one language alone count in that language, all others everywhere`() throws {
    #expect(try value("Depp", "de-AT") == 850)
    #expect(try value("Depp", "en") == 0)
    #expect(try value("Arschloch", "en-GB") == 850)
    #expect(try value("сука", "en") == 850)
    #expect(try value("cyкa", "") == 850)
  }

  @Test func `weights add up as chances do, and categories as sets`() throws {
    #expect(try value("stupid") == 600)
    let score = try scorer.score("stupid loser, holy shit", language: "en")
    // 1 − 0.4 · 0.45 · 0.55
    #expect(score.value == 901)
    #expect(score.categories == [.insult, .profanity])
    #expect(score.verdict == .refused)
    #expect(try scorer.score("stupid", language: "en").verdict == .reviewed)
    #expect(try scorer.score("hello", language: "en").verdict == .harmless)
    // A phrase is one find, and the heaviest that begins there.
    #expect(try value("kill yourself") == 950)
  }

  @Test func `moderators' lists are used on top, and in place of those before`() throws {
    let before = try scorer.score("blorp", language: "en")
    #expect(before.value == 0)
    try scorer.use([
      WordList(
        language: "en",
        words: [
          ListedWord("blorp*", weight: 900, category: .hate), ListedWord("Ano", weight: 900, category: .insult),
          ListedWord("año", weight: 0, category: .insult), ListedWord("moron*", weight: 100, category: .insult),
          ListedWord("傻逼", weight: 900, category: .insult), ListedWord("grump face", weight: 700, category: .insult),
          ListedWord("snarf", weight: 900, category: .insult, isOnlyInLanguage: true),
        ])
    ])
    let after = try scorer.score("bl0rping", language: "de")
    #expect(after.value == 900 && after.categories == .hate && after.version != before.version)
    #expect(try value("ANO") == 900)
    #expect(try value("feliz AÑO") == 0)
    #expect(try value("moronic") == 100)
    #expect(try value("你是个傻逼吗") == 900)
    #expect(try value("Grump  Face") == 700)
    #expect(try value("snarf") == 900)
    #expect(try value("snarf", "fr") == 0)
    try scorer.use([])
    #expect(try scorer.score("blorp", language: "en") == before)
  }

  @Test func `lists that cannot be used change nothing`() throws {
    func fault(_ word: ListedWord, language: String = "en") -> WordListError.Fault? {
      let fine = WordList(language: "en", words: [ListedWord("fine", weight: 1, category: .insult)])
      do throws(WordListError) {
        try scorer.use([
          fine, WordList(language: language, words: [ListedWord("good", weight: 1, category: .hate), word]),
        ])
        return nil
      } catch {
        #expect(error.list == 1)
        #expect(error.word == (error.fault == .language ? nil : 1))
        return error.fault
      }
    }
    let version = try scorer.score("", language: "").version
    #expect(fault(ListedWord("x", weight: 1, category: .hate), language: "EN-gb") == .language)
    for text in [
      "", " ", "12", "*", "a*b", "!", String(repeating: "ab", count: 33), String(repeating: "a\u{301}", count: 9999),
    ] {
      #expect(fault(ListedWord(text, weight: 1, category: .hate)) == .text, "\(text.prefix(20))")
    }
    for (text, weight) in [("x", -1), ("x", 1001), ("x y", 0), ("x*", 0)] {
      #expect(fault(ListedWord(text, weight: weight, category: .hate)) == .weight)
    }
    for category: ToxicityCategories in [[], [.hate, .insult], ToxicityCategories(rawValue: 64)] {
      #expect(fault(ListedWord("x", weight: 1, category: category)) == .category)
    }
    let many = Array(repeating: ListedWord("x", weight: 1, category: .hate), count: WordList.entryLimit + 1)
    #expect(throws: WordListError(.tooMany, list: 0)) { try scorer.use([WordList(language: "en", words: many)]) }
    #expect(try scorer.score("", language: "").version == version)
    #expect(
      fault(ListedWord(String(repeating: "ab", count: WordList.lengthLimit / 2), weight: 1, category: .hate)) == nil)
  }

  /// The processor time of this thread, in seconds, to which what else the machine does adds nothing.
  private func worked() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec
  }

  /// What costs the square of its length takes hours at a mebibyte.
  @Test(
    .timeLimit(.minutes(60)),
    arguments: ["\u{327}\u{301}", "\u{93C}\u{94D}", "i", "!1", "kill ", "'", "\u{FDFA}", "傻", "a1 "])
  func `a mebibyte of anything is judged in time in proportion to it`(unit: String) throws {
    let start = "idiot "
    let text = start + String(repeating: unit, count: (WordScorer.textLimit - start.utf8.count) / unit.utf8.count)
    let before = worked()
    #expect(try value(text) >= 425)
    #expect(worked() - before < 300)
  }

  @Test func `what cannot be judged counts 500`() async {
    let long = String(repeating: "a", count: WordScorer.textLimit + 1)
    #expect(throws: TextTooLong()) { try scorer.score(long, language: "en") }
    #expect(await scorer.judge(long, language: "en") == .failure)
    #expect(ToxicityScore.failure.value == 500 && ToxicityScore.failure.verdict == .reviewed)
    #expect(await scorer.judge("idiot", language: "en").value == 850)
  }
}
