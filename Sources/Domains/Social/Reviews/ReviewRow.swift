import Base
import DomainKit
import ProtobufRuntime
import SocialAPI
import Storage

/// A row of `social_reviews`.
struct ReviewRow: Sendable {
  enum State: Int64, Sendable {
    case visible = 1
    case blind = 2
    case held = 3
    case removed = 4
    case deleted = 5
  }

  let subject: SubjectID
  let id: Identifier
  /// What author and thing had to do with each other.
  let key: SubjectID
  /// 0 once the author is erased.
  var author: Identifier
  let scale: ClosedRange<Int32>
  /// The names of the aspects that can be scored.
  let aspectNames: [String]
  var opinion: ReviewOpinion
  var state: State
  /// Until when it waits for the other side; nil if it does not.
  let blindUntil: Instant?
  /// One that takes the place of another has that one's.
  var editableUntil: Instant
  var version: Int64
  let createdAt: Instant
  var editedAt: Instant?

  static let columns = """
    subject_kind, subject_id, id, key_kind, key_id, author_id, lowest, highest, aspect_names, score, aspects, text, state,
    blind_until, editable_until, version, created_at, edited_at
    """

  init(_ row: any Row) {
    subject = SubjectID(row[0], row[1])
    id = row[2]
    key = SubjectID(row[3], row[4])
    author = row[5]
    let (lowest, highest): (Int32, Int32) = (row[6], row[7])
    scale = lowest...max(lowest, highest)
    aspectNames = (row[8] as String).split(separator: "\n").map(String.init)
    opinion = ReviewOpinion(score: row[9], aspects: ReviewOpinion.aspects(row[10]), text: row[11])
    guard let state = State(rawValue: row[12]) else { preconditionFailure("social_reviews holds a strange state") }
    self.state = state
    blindUntil = row[13]
    editableUntil = row[14]
    version = row[15]
    createdAt = row[16]
    editedAt = row[17]
  }

  init(
    of subject: SubjectID, id: Identifier, over key: SubjectID, by author: Identifier, _ rule: ReviewRule,
    _ opinion: ReviewOpinion, at: Instant
  ) {
    self.subject = subject
    self.id = id
    self.key = key
    self.author = author
    scale = rule.scale
    aspectNames = rule.aspects
    self.opinion = opinion
    state = .held
    blindUntil = rule.blindUntil
    editableUntil = at + rule.editable
    version = 1
    createdAt = at
  }

  /// As a thing that is answered, liked and reported.
  var asSubject: SubjectID { SubjectID(IDKind.review, id) }

  static func find(_ id: Identifier, in reader: any Reader) throws -> ReviewRow? {
    try reader.first("SELECT \(columns) FROM social_reviews WHERE id = $1", id, make: ReviewRow.init)
  }

  /// A review, held by this transaction.
  static func held(_ id: Identifier, in writer: any Writer) throws -> ReviewRow? {
    try writer.firstForUpdate("SELECT \(columns) FROM social_reviews WHERE id = $1", id, make: ReviewRow.init)
  }

  /// All over the same matter, also what was taken back, oldest first and held by this transaction.
  func overTheSame(in writer: any Writer) throws -> [ReviewRow] {
    try writer.rows(
      """
      SELECT \(Self.columns) FROM social_reviews
      WHERE key_id = $1 AND key_kind = $2 ORDER BY id\(writer.dialect.forUpdate)
      """, key.id, key.kind, make: ReviewRow.init)
  }

  /// What others have written, and have not taken back.
  func otherSide(among known: [ReviewRow]) -> [ReviewRow] {
    known.filter { $0.author != author && $0.state != .deleted }
  }

  func isOf(_ author: Identifier, about subject: SubjectID) -> Bool {
    self.author == author && self.subject == subject
  }

  /// - Parameter isOpen: whether everybody may see the thing.
  /// - Returns: whether the author had none on the thing over this matter.
  func insert(isOpen: Bool, in writer: any Writer) throws -> Bool {
    try writer.execute(
      """
      INSERT INTO social_reviews
        (subject_id, id, subject_kind, key_id, key_kind, author_id, lowest, highest, aspect_names, score, aspects, text,
        state, blind_until, editable_until, version, created_at, edited_at, is_open)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, NULL, $18)
      ON CONFLICT (subject_id, key_id, author_id) WHERE state <> 5 DO NOTHING
      """, subject.id, id, subject.kind, key.id, key.kind, author, scale.lowerBound, scale.upperBound,
      aspectNames.joined(separator: "\n"), opinion.score, opinion.storedAspects, opinion.text, state.rawValue,
      blindUntil, editableUntil, version, createdAt, isOpen) == 1
  }

  /// Writes what can change. The row is held.
  func update(in writer: any Writer) throws {
    try writer.execute(
      """
      UPDATE social_reviews SET author_id = $3, score = $4, aspects = $5, text = $6, state = $7, version = $8,
        edited_at = $9
      WHERE subject_id = $1 AND id = $2
      """, subject.id, id, author, opinion.score, opinion.storedAspects, opinion.text, state.rawValue, version, editedAt
    )
  }
}

/// What a review says.
struct ReviewOpinion: Sendable, Equatable {
  var score: Int32
  var aspects: [AspectScore]
  var text: String

  /// - Throws: `SocialError.ratingOutOfRange`, `.badAspect`.
  func check(_ scale: ClosedRange<Int32>, _ names: [String]) throws(SocialError) {
    guard scale.contains(score) else { throw .ratingOutOfRange("score") }
    var seen: Set<String> = []
    for (index, aspect) in aspects.enumerated() {
      guard names.contains(aspect.aspect), seen.insert(aspect.aspect).inserted else { throw .badAspect(index) }
      guard scale.contains(aspect.score) else { throw .ratingOutOfRange("aspects[\(index)].score") }
    }
  }

  /// One line for each: the score, a space, the name.
  fileprivate var storedAspects: String { aspects.map { "\($0.score) \($0.aspect)" }.joined(separator: "\n") }

  fileprivate static func aspects(_ stored: String) -> [AspectScore] {
    stored.split(separator: "\n").map { line in
      let parts = line.split(separator: " ", maxSplits: 1)
      var aspect = AspectScore()
      aspect.score = Int32(parts[0]) ?? 0
      aspect.aspect = parts.count > 1 ? String(parts[1]) : ""
      return aspect
    }
  }
}
