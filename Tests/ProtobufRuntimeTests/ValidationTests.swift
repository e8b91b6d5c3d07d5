import Base
import OctetTypes
import ProtobufRuntime
import RoundTripAPI
import Testing
import WellKnownTypes

@Suite struct ValidationTests {
  private static let rideID = Identifier(rawValue: 4711).text(kind: "ride")

  /// A request that breaks no rule.
  private static func valid() -> RuledRequest {
    var request = RuledRequest()
    request.requestID = "123e4567-e89b-12d3-a456-426614174000"
    request.name = "Anna"
    request.seats = 1
    request.mood = .good
    request.tags = ["one"]
    request.at = Timestamp()
    return request
  }

  private static func fields(_ change: (inout RuledRequest) -> Void) -> [String] {
    var request = valid()
    change(&request)
    return request.violations().map(\.field)
  }

  @Test func `a valid request has no violations`() {
    #expect(Self.valid().violations() == [])
  }

  @Test func `an empty request breaks each rule that asks for something`() {
    #expect(Set(RuledRequest().violations().map(\.field)) == ["request_id", "seats", "mood", "tags", "at"])
  }

  @Test func `lengths are counted in code points`() {
    #expect(Self.fields { $0.name = "äöü" } == [])
    #expect(Self.fields { $0.name = "äö" } == ["name"])
    #expect(Self.fields { $0.name = "日本語日本" } == [])
    #expect(Self.fields { $0.name = "日本語日本語" } == ["name"])
    #expect(Self.fields { $0.name = "" } == [])
    #expect(Self.fields { $0.note = String(repeating: "x", count: 4096) } == [])
    #expect(Self.fields { $0.note = String(repeating: "x", count: 4097) } == ["note"])
    #expect(Self.fields { $0.data = [1] } == ["data"])
    #expect(Self.fields { $0.data = [1, 2, 3, 4, 5] } == ["data"])
    #expect(Self.fields { $0.data = [1, 2] } == [])
  }

  @Test func `an id of another kind has its own reason`() {
    var request = Self.valid()
    request.rideID = Identifier(rawValue: 4711).text(kind: "driver")
    #expect(request.violations().map(\.reason) == ["WRONG_ID_KIND"])
    request.rideID = "ride_"
    #expect(request.violations().map(\.reason) == [nil])
    request.rideID = Self.rideID
    #expect(request.violations() == [])
  }

  @Test func `numbers stay within their bounds, NaN in none`() {
    #expect(Self.fields { $0.share = 1 } == [])
    #expect(Self.fields { $0.share = 1.0000001 } == ["share"])
    #expect(Self.fields { $0.share = -.infinity } == ["share"])
    #expect(Self.fields { $0.share = .nan } == ["share"])
    #expect(Self.fields { $0.seats = 0 } == ["seats"])
    #expect(Self.fields { $0.level = 0 } == [])
    #expect(Self.fields { $0.level = 4 } == ["level"])
    #expect(Self.fields { $0.numbers = [0, -1, -2] } == ["numbers[2]"])
  }

  @Test func `enums are known and specified`() {
    #expect(Self.fields { $0.mood = .unspecified } == ["mood"])
    #expect(Self.fields { $0.mood = .unrecognized(99) } == ["mood"])
    #expect(Self.fields { $0.openMood = .unspecified } == [])
    #expect(Self.fields { $0.openMood = .unrecognized(99) } == ["open_mood"])
    #expect(Self.fields { $0.optionalMood = .unspecified } == ["optional_mood"])
    #expect(Self.fields { $0.moods = [.good, .unspecified] } == ["moods[1]"])
  }

  @Test func `lists are neither too short nor too long`() {
    #expect(Self.fields { $0.tags = [] } == ["tags"])
    #expect(Self.fields { $0.tags = ["a", "b", "c", "d"] } == ["tags"])
    #expect(Self.fields { $0.tags = ["a", "abcde"] } == ["tags[1]"])
    #expect(Self.fields { $0.numbers = [Int32](repeating: 0, count: 1000) } == [])
    #expect(Self.fields { $0.numbers = [Int32](repeating: 0, count: 1001) } == ["numbers"])
  }

  @Test func `a text with a character that no database keeps is refused by its field`() {
    var request = Self.valid()
    request.name = "An\u{0}a"
    request.tags = ["one", "\u{0}"]
    #expect(request.violations().map(\.field) == ["name", "tags[1]"])
    #expect(request.violations().allSatisfy { $0.reason == "INVALID_TEXT" })
  }

  @Test func `violations name the whole path`() {
    #expect(Self.fields { $0.nested = Ruled() } == ["nested.currency_code"])
    #expect(Self.fields { $0.many = [Ruled()] } == ["many[0].currency_code"])
    #expect(Self.fields { $0.byName = ["a": Ruled()] } == ["by_name[a].currency_code"])
    #expect(Self.fields { $0.texts = [7: "abcde"] } == ["texts[7]"])
    #expect(Self.fields { $0.choice = .choiceMessage(Ruled()) } == ["choice_message.currency_code"])
    #expect(Self.fields { $0.choice = .choiceText("abcde") } == ["choice_text"])
  }

  @Test func `instants and spans have their range`() {
    #expect(Self.fields { $0.at?.nanos = -1 } == ["at"])
    #expect(Self.fields { $0.at?.seconds = 253_402_300_800 } == ["at"])
    #expect(Self.fields { $0.at?.seconds = -62_135_596_800 } == [])
    func span(_ seconds: Int64, _ nanos: Int32) -> [String] {
      Self.fields {
        $0.span = ProtoDuration()
        $0.span?.seconds = seconds
        $0.span?.nanos = nanos
      }
    }
    #expect(span(1, -1) == ["span"])
    #expect(span(-1, -1) == [])
    #expect(span(0, -1) == [])
    #expect(span(315_576_000_001, 0) == ["span"])
  }

  @Test func `descriptions do not repeat the value`() {
    var request = Self.valid()
    request.requestID = "hunter2"
    request.rideID = "hunter2"
    request.name = "hunter2"
    #expect(request.violations().count == 3)
    #expect(request.violations().allSatisfy { !$0.description.contains("hunter2") })
  }

  @Test func `places and money follow their rules`() {
    var place = LatLng()
    place.latitude = 90.5
    place.longitude = .nan
    #expect(place.violations().map(\.field) == ["latitude", "longitude"])
    #expect(Money().violations().map(\.field) == ["currency_code"])
  }

  @Test func `debug text hides secrets and leaves out zeros`() {
    var request = RuledRequest()
    request.name = "Anna"
    request.password = "hunter2"
    request.keys = [[1, 2, 3]]
    request.many = [Ruled()]
    request.level = 0
    let text = request.debugDescription
    #expect(text.contains("name: \"Anna\""))
    #expect(text.contains("password: <secret>"))
    #expect(!text.contains("hunter2"))
    #expect(text.contains("keys: <secret>"))
    #expect(text.contains("many: [Ruled {}]"))
    #expect(text.contains("level: 0"))
    #expect(!text.contains("seats"))
    #expect("\(request)" == text)
  }

  @Test func `requests with a request_id say so`() {
    func requestID(_ message: any Message) -> String? { (message as? any MutatingRequest)?.requestID }
    #expect(requestID(Self.valid()) == Self.valid().requestID)
    #expect(requestID(Ruled()) == nil)
  }

  @Test func `a request of many faults gets a bounded answer`() {
    var violations = Violations()
    for index in 0..<1000 {
      violations.descend(key: String(repeating: "k", count: 10_000)) {
        $0.descend(index: index) { $0.add("name", "is required") }
      }
    }
    #expect(violations.found.count == DecodeLimits.violations)
    let key = String(repeating: "k", count: DecodeLimits.violationKey)
    #expect(violations.found.first?.field == "[\(key)][0].name")
  }
}

@Suite struct TextFormatTests {
  static let good: [(TextFormat, String)] = [
    (.uuid, "123E4567-e89b-12d3-a456-426614174000"), (.handle, "anna_1"), (.email, "a.b+c@mail.example.org"),
    (.phone, "+41791234567"), (.currency, "CHF"), (.etag, "W/abc-1"),
  ]
  static let bad: [(TextFormat, String)] = [
    (.uuid, "123e4567e89b12d3a456426614174000"), (.uuid, "123e4567-e89b-12d3-a456-42661417400g"), (.handle, "1anna"),
    (.handle, "an"), (.handle, "Anna"), (.email, "a@b"), (.email, "a b@c.d"), (.email, "@c.d"), (.email, "a@@c.d"),
    (.email, "a@-c.d"), (.phone, "0791234567"), (.phone, "+0123456789"), (.phone, "+41 79"), (.currency, "chf"),
    (.currency, "CHFF"), (.etag, ""), (.etag, "a b"), (.etag, "\"a\""),
  ]

  @Test(arguments: good) func `accepts`(format: TextFormat, text: String) {
    #expect(format.matches(text))
  }

  @Test(arguments: bad) func `refuses`(format: TextFormat, text: String) {
    #expect(!format.matches(text))
  }

  @Test func `every format has examples of both kinds`() {
    #expect(Set(Self.good.map(\.0)) == Set(TextFormat.allCases))
    #expect(Set(Self.bad.map(\.0)) == Set(TextFormat.allCases))
  }
}
