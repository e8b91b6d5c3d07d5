import Testing

@testable import RPC

/// What is attached to a call.
struct CallAnnotationsTests {
  private enum Name: CallKey { typealias Value = String }
  private enum Age: CallKey { typealias Value = Int }
  private enum Place: CallKey { typealias Value = String }

  @Test func `each key has its own value, whichever came first and whichever is gone`() {
    let annotations = CallAnnotations()
    func found() -> [String] {
      annotations.with { [$0[Name.self] ?? "-", $0[Age.self].map(String.init) ?? "-", $0[Place.self] ?? "-"] }
    }
    #expect(found() == ["-", "-", "-"])
    annotations.with { $0[Name.self] = "ann" }
    annotations.with { $0[Age.self] = 7 }
    annotations.with { $0[Place.self] = "here" }
    #expect(found() == ["ann", "7", "here"])
    annotations.with { $0[Name.self] = "bob" }
    annotations.with { $0[Place.self] = "there" }
    #expect(found() == ["bob", "7", "there"])
    annotations.with { $0[Name.self] = nil }
    #expect(found() == ["-", "7", "there"])
    annotations.with { $0[Age.self] = 8 }
    annotations.with { $0[Name.self] = "eve" }
    #expect(found() == ["eve", "8", "there"])
    annotations.with { $0[Age.self] = nil }
    annotations.with { $0[Place.self] = nil }
    #expect(found() == ["eve", "-", "-"])
    annotations.with { $0[Name.self] = nil }
    #expect(found() == ["-", "-", "-"])
  }
}
