import Base
import BenchAPI
import RPC
import Storage
import TransactionShapes

/// `bench.v1.Transactions`: what a durable transaction costs when it comes through the whole server.
struct TransactionService: Transactions {
  /// The tables of the shapes. Only a database that has served the benchmark has them.
  static let migrations = [OrderShape.schema, TransferShape.schema]

  private let database: any Database
  private let clock: any WallClock
  private let random: any RandomSource
  private let orders: OrderShape
  private let transfers = TransferShape()

  /// Makes the rows that the transactions need.
  init(_ database: any Database, clock: any WallClock, random: any RandomSource) async throws {
    self.database = database
    self.clock = clock
    self.random = random
    let orders = OrderShape(database)
    self.orders = orders
    try await database.write { [transfers] writer in
      try orders.prepare(writer)
      try transfers.prepare(writer)
    }
  }

  func placeOrder(_ request: PlaceOrderRequest, context: ServerContext) async throws -> PlaceOrderResponse {
    let shift = Int64(random.next() >> 40)
    let lines = request.lines.map { (product: $0.product + shift, quantity: Int($0.quantity)) }
    try await orders.transaction(of: request.customer, lines, clock.now()).run(on: database)
    return PlaceOrderResponse()
  }

  func transfer(_ request: TransferRequest, context: ServerContext) async throws -> TransferResponse {
    let shift = Int64(random.next() >> 40)
    try await transfers.transaction(
      from: request.debtor + shift, to: request.creditor + shift, request.amount, random, clock.now()
    ).run(on: database)
    return TransferResponse()
  }
}
