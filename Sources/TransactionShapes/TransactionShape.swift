public import Base
public import Storage

/// A transaction that is measured: through the storage API alone by `storage-bench`, and through a whole server by
/// `bench.v1.Transactions`.
public protocol TransactionShape: Sendable {
  /// What the figures are printed under.
  var name: String { get }

  /// Inserts the rows that every transaction needs, unless they are there.
  func prepare(_ writer: any Writer) throws

  /// Inserts the rows of earlier transactions, quickly.
  /// - Parameters:
  ///   - rows: their numbers; they are counted over several calls, from 0.
  ///   - total: how many there are in all calls.
  func fill(_ rows: Range<Int64>, of total: Int64, _ writer: any Writer) throws

  /// Draws what one transaction is about, as a request would bring it. From any thread.
  func transaction(_ random: any RandomSource, _ now: Instant) -> ShapedTransaction
}

/// One transaction of a shape.
public struct ShapedTransaction: Sendable {
  /// The request, of a transaction that keeps its reply.
  let key: RequestKey?
  let body: @Sendable (any Writer) throws -> Void

  public init(_ key: RequestKey? = nil, _ body: @escaping @Sendable (any Writer) throws -> Void) {
    self.key = key
    self.body = body
  }

  /// Commits it.
  public func run(on database: any Database) async throws {
    if let key {
      try await database.write(serving: key, body)
    } else {
      try await database.write(body)
    }
  }
}

/// The numbers from 0 to `$1`, as a table with the column `value`.
enum Series {
  static let sql = """
    (WITH RECURSIVE series (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM series WHERE value < $1)
      SELECT value FROM series) AS numbers
    """

  /// Spreads `value` over the numbers below `bound`, the same way on every engine.
  static func spread(below bound: String) -> String { "CAST(value AS BIGINT) * 2654435761 % \(bound)" }
}
