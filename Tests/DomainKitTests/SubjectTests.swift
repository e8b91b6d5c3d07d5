import Base
import RPC
import Storage
import Testing

@testable import DomainKit

struct SubjectTests {
  /// A kind that says nothing but that its things are there.
  private struct Silent: SubjectKind {
    let prefix = "note"

    func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
      try reader.first("SELECT id FROM notes WHERE id = $1", id) { SubjectFacts(owner: $0[0]) }
    }
  }

  /// A kind whose things are seen by their owner.
  private struct Private: SubjectKind {
    let prefix = "diary"

    func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
      SubjectFacts(owner: Workshop.user, parent: SubjectID("note", id))
    }

    func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
      caller?.user == Workshop.user
    }
  }

  /// A kind whose one thing nobody sees, and which notes what it is asked.
  private final class Hidden: SubjectKind {
    let prefix = "secret"
    let questions = Locked([String]())

    func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
      questions.withLock { $0.append("facts") }
      return id == SubjectTests.id ? SubjectFacts(owner: Workshop.user) : nil
    }

    func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
      questions.withLock { $0.append("canView") }
      return false
    }
  }

  private static let owner = Caller(user: Workshop.user, session: Workshop.user)
  private static let id = Identifier(rawValue: 7)

  @Test func `ids of subjects are read and printed, of all kinds that there are and no others`() async throws {
    let registry = SubjectRegistry()
    registry.register([Silent(), Private()])
    let text = Self.id.text(kind: "note")
    #expect(try registry.parse(text, field: "subject_id") == SubjectID("note", Self.id))
    #expect(SubjectID("note", Self.id).text == text)
    #expect(throws: KitError.wrongIDKind(field: "subject_id")) {
      try registry.parse(Self.id.text(kind: "song"), field: "subject_id")
    }
    for text in ["", "note", "note_", "_0000000000007", "note_000000000000u", "note_0000000000007x"] {
      let error = #expect(throws: KitError.self) { try registry.parse(text, field: "subject_id") }
      #expect(error?.mapping.reason == "INVALID_REQUEST")
    }
  }

  @Test func `what a kind does not say is refused`() async throws {
    let workshop = try await Workshop()
    workshop.kit.subjects.register([Silent()])
    let (kit, id) = (workshop.kit, Self.id)
    try await workshop.database.write { writer in
      try writer.execute("INSERT INTO notes (id, text) VALUES ($1, 'a')", id)
      let silent = Silent()
      #expect(try silent.posting(on: id, by: Self.owner, in: writer) == .refused)
      #expect(
        try silent.reviewing(id, by: Workshop.user, over: SubjectID("note", id), in: writer) == .notEligible)
      #expect(!silent.traits.isFollowable && silent.traits.reactions.isEmpty)
      #expect(throws: KitError.notFound("note")) {
        try kit.subjects.visible(SubjectID("note", id), to: Self.owner, in: writer)
      }
    }
  }

  @Test func `what is absent, of no kind or private is not found, all alike`() async throws {
    let workshop = try await Workshop()
    workshop.kit.subjects.register([Silent(), Private()])
    let (kit, id) = (workshop.kit, Self.id)
    try await workshop.database.read { reader in
      let diary = SubjectID("diary", id)
      let found = try kit.subjects.visible(diary, to: Self.owner, in: reader)
      #expect(found.facts == SubjectFacts(owner: Workshop.user, parent: SubjectID("note", id)))
      #expect(try kit.subjects.isVisible(diary, to: Self.owner, in: reader))
      let stranger = Caller(user: Identifier(rawValue: 2), session: Identifier(rawValue: 2))
      for caller in [nil, stranger] {
        #expect(try !kit.subjects.isVisible(diary, to: caller, in: reader))
        #expect(throws: KitError.notFound("diary")) { try kit.subjects.visible(diary, to: caller, in: reader) }
      }
      for missing in [SubjectID("note", id), SubjectID("song", id)] {
        #expect(throws: KitError.notFound(missing.kind)) {
          try kit.subjects.visible(missing, to: Self.owner, in: reader)
        }
      }
    }
  }

  @Test func `what hangs nowhere is asked about as what hangs on a hidden thing is`() async throws {
    let workshop = try await Workshop()
    let hidden = Hidden()
    workshop.kit.subjects.register([hidden])
    let subjects = workshop.kit.subjects
    try await workshop.database.read { reader in
      // Nobody has asked before, so there is no kind to be asked.
      let isVisible = try subjects.isVisible(beneath: nil, to: Self.owner, in: reader)
      let nobody = try subjects.owner(beneath: nil, in: reader)
      #expect(!isVisible && nobody == nil && hidden.questions.withLock { $0.isEmpty })
      var asked: [[String]] = []
      for thing in [SubjectID("secret", Self.id), nil] {
        let isVisible = try subjects.isVisible(beneath: thing, to: Self.owner, in: reader)
        let owner = try subjects.owner(beneath: thing, in: reader)
        #expect(!isVisible && owner == (thing == nil ? nil : Workshop.user))
        asked.append(
          hidden.questions.withLock { questions in
            defer { questions = [] }
            return questions
          })
      }
      #expect(asked[0] == ["facts", "canView", "facts"] && asked[1] == asked[0])
    }
  }
}
