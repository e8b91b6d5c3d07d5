import Base
import Testing

@Suite struct LogTests {
  @Test func `escapes what JSON does not allow in a string`() {
    var text = ""
    text.appendJSON("a\"b\\c\n\u{1}\u{7f}ü")
    #expect(text == #""a\"b\\c\n\u0001\u007fü""#)
  }
}
