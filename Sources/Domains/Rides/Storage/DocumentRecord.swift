import Base
import OctetTypes
import RidesAPI
import Storage

/// A row of `rides_documents`.
struct DocumentRecord: Sendable, Equatable {
  let id: Identifier
  let driverID: Identifier
  let kind: DocumentKind
  /// As stored: EXPIRED is judged by `state(at:)`.
  let state: DocumentState
  let expiresOn: Date
  let expiresAt: Instant
  let blob: String
  let rejection: String

  static let columns = "id, driver_id, kind, state, year, month, day, expires_at, blob_reference, rejection"

  init(row: any Row) {
    id = row[0]
    driverID = row[1]
    kind = DocumentKind(rawValue: row[2])
    state = DocumentState(rawValue: row[3])
    var date = Date()
    date.year = row[4]
    date.month = row[5]
    date.day = row[6]
    expiresOn = date
    expiresAt = row[7]
    blob = row[8]
    rejection = row[9]
  }

  /// A document that waits for review.
  init(id: Identifier, driverID: Identifier, request: SubmitDocumentRequest, expiresOn: Date, expiresAt: Instant) {
    self.id = id
    self.driverID = driverID
    kind = request.kind
    state = .pending
    self.expiresOn = expiresOn
    self.expiresAt = expiresAt
    blob = request.blob
    rejection = ""
  }

  /// The state that the document has at `now`.
  func state(at now: Instant) -> DocumentState {
    state == .verified && expiresAt <= now ? .expired : state
  }

  func message(now: Instant) -> Document {
    var document = Document()
    document.id = id.text(kind: IDKind.document)
    document.kind = kind
    document.state = state(at: now)
    document.expiresOn = expiresOn
    document.blob = blob
    document.rejection = rejection
    return document
  }
}

extension Reader {
  /// The newest document of each kind, by kind.
  func documents(ofDriver driver: Identifier) throws -> [DocumentRecord] {
    try rows(
      """
      SELECT \(DocumentRecord.columns) FROM rides_documents WHERE id IN (
        SELECT MAX(id) FROM rides_documents WHERE driver_id = $1 GROUP BY kind) ORDER BY kind
      """, driver, make: DocumentRecord.init(row:))
  }
}

extension Writer {
  /// A document, held by this transaction; nil if there is none.
  func documentForUpdate(_ id: Identifier) throws -> DocumentRecord? {
    try firstForUpdate(
      "SELECT \(DocumentRecord.columns) FROM rides_documents WHERE id = $1", id, make: DocumentRecord.init(row:))
  }

  /// Adds a document.
  func insert(_ document: DocumentRecord) throws {
    try send(
      """
      INSERT INTO rides_documents (\(DocumentRecord.columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
      """, document.id, document.driverID, document.kind.rawValue, document.state.rawValue, document.expiresOn.year,
      document.expiresOn.month, document.expiresOn.day, document.expiresAt, document.blob, document.rejection)
  }

  /// Reviews a document that is PENDING. False if it is not.
  func review(_ document: Identifier, as state: DocumentState, rejection: String) throws -> Bool {
    try execute(
      "UPDATE rides_documents SET state = $1, rejection = $2 WHERE id = $3 AND state = $4", state.rawValue, rejection,
      document, DocumentState.pending.rawValue) == 1
  }
}
