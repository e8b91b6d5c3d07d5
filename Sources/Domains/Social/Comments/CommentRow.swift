import Base
import DomainKit
import Storage

/// A row of `social_comments`.
struct CommentRow: Sendable {
  enum State: Int64, Sendable {
    case visible = 1
    case held = 2
    case removed = 3
    case deleted = 4
  }

  var subject: SubjectID
  /// 0 for a comment that stands for itself.
  var parent: Identifier
  let id: Identifier
  /// 0 once the author is erased.
  var author: Identifier
  /// Who is answered; nil for nobody.
  let repliedTo: Identifier?
  /// Each mention is an `@` alone.
  var text: String
  var state: State
  /// Of the toxicity scorer.
  var score: Int64
  /// Rises with each change of the text.
  var version: Int64
  let createdAt: Instant
  var editedAt: Instant?

  static let columns =
    """
    subject_kind, subject_id, parent_id, id, author_id, replied_to, text, state, score, version, created_at, edited_at
    """

  init(_ row: any Row) {
    subject = SubjectID(row[0], row[1])
    parent = row[2]
    id = row[3]
    author = row[4]
    repliedTo = row[5]
    text = row[6]
    guard let state = State(rawValue: row[7]) else { preconditionFailure("social_comments holds a strange state") }
    self.state = state
    score = row[8]
    version = row[9]
    createdAt = row[10]
    editedAt = row[11]
  }

  init(
    on subject: SubjectID, below answered: CommentRow?, id: Identifier, by author: Identifier, text: String,
    state: State, score: Int64, at: Instant
  ) {
    self.subject = subject
    parent = answered.map { $0.isReply ? $0.parent : $0.id } ?? Self.top
    repliedTo = answered?.author
    self.id = id
    self.author = author
    self.text = text
    self.state = state
    self.score = score
    version = 1
    createdAt = at
  }

  var isReply: Bool { parent != CommentRow.top }

  static let top = Identifier(rawValue: 0)

  /// As a thing that is liked and reported.
  var asSubject: SubjectID { SubjectID(IDKind.comment, id) }

  static func find(_ id: Identifier, in reader: any Reader) throws -> CommentRow? {
    try reader.first("SELECT \(columns) FROM social_comments WHERE id = $1", id, make: CommentRow.init)
  }

  /// A comment, held by this transaction.
  static func held(_ id: Identifier, in writer: any Writer) throws -> CommentRow? {
    try writer.firstForUpdate("SELECT \(columns) FROM social_comments WHERE id = $1", id, make: CommentRow.init)
  }

  /// Comments that stand for themselves, newest first.
  static func newest(
    on subject: SubjectID, before: Identifier, limit: Int, in reader: any Reader
  ) throws -> [CommentRow] {
    try reader.rows(
      """
      SELECT \(columns) FROM social_comments
      WHERE subject_id = $1 AND parent_id = 0 AND id < $2 AND subject_kind = $3 ORDER BY id DESC LIMIT $4
      """, subject.id, before, subject.kind, limit, make: CommentRow.init)
  }

  /// The replies to a comment, oldest first.
  static func replies(
    to parent: Identifier, on subject: SubjectID, after: Identifier, limit: Int, in reader: any Reader
  ) throws -> [CommentRow] {
    try reader.rows(
      """
      SELECT \(columns) FROM social_comments
      WHERE subject_id = $1 AND parent_id = $2 AND id > $3 AND subject_kind = $4 ORDER BY id LIMIT $5
      """, subject.id, parent, after, subject.kind, limit, make: CommentRow.init)
  }

  /// - Parameter isOpen: whether everybody may see what it hangs on.
  func insert(isOpen: Bool, in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO social_comments
        (subject_id, parent_id, id, subject_kind, author_id, replied_to, text, state, score, version, created_at,
        edited_at, is_open)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL, $12)
      """, subject.id, parent, id, subject.kind, author, repliedTo, text, state.rawValue, score, version, createdAt,
      isOpen)
  }

  /// Writes what can change. The row is held.
  func update(in writer: any Writer) throws {
    try writer.execute(
      """
      UPDATE social_comments SET author_id = $4, text = $5, state = $6, score = $7, version = $8, edited_at = $9
      WHERE subject_id = $1 AND parent_id = $2 AND id = $3
      """, subject.id, parent, id, author, text, state.rawValue, score, version, editedAt)
  }
}
