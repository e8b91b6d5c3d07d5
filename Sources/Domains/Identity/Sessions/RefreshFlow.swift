import Base
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage

/// SessionService.RefreshSession.
struct RefreshFlow: Sendable {
  let core: IdentityCore

  private var kit: Kit { core.kit }

  /// The token was spent before, under another request_id.
  private struct SpentToken: Error {}

  func refresh(_ request: RefreshSessionRequest, _ context: ServerContext) async throws -> RefreshSessionResponse {
    guard let token = RefreshToken(request.refreshToken, key: core.refreshKey) else { throw KitError.sessionEnded }
    let core = core
    let complete: @Sendable (inout RefreshSessionResponse, any Writer) throws -> Void = { reply, writer in
      try reply.session?.addPersonalData(in: writer)
      reply.tokens?.sign(core)
    }
    let scope = RequestScope.client(token.session.rawValue.bigEndianBytes)
    let hash = kit.keys.requestHash(request.encoded())
    do {
      return try await kit.mutate(request, context, scope: scope, complete: complete) { writer in
        try renew(token, by: hash, in: writer)
      }
    } catch is SpentToken {
      try await endFamily(of: token)
      throw KitError.sessionEnded
    }
  }

  /// Spends the token and makes the next pair.
  /// - Parameter hash: of the request.
  private func renew(
    _ token: RefreshToken, by hash: [UInt8], in writer: any Writer
  ) throws -> RefreshSessionResponse {
    let now = kit.clock.now()
    guard let row = try SessionRow.find(token.session, in: writer), row.isLive(at: now) else {
      throw KitError.sessionEnded
    }
    let (holder, epoch) = try core.holder(of: row, in: writer)
    guard row.generation == token.generation else {
      guard row.generation == token.generation + 1, let first = try row.epoch(renewedBy: hash, in: writer) else {
        throw SpentToken()
      }
      return reply(holder, epoch: first, row, at: now)
    }
    let spent = try writer.execute(
      """
      UPDATE identity_sessions
      SET generation = generation + 1, renewed_at = $3, last_used_at = $3, renewed_by = $4, renewed_epoch = $5
      WHERE id = $1 AND generation = $2 AND ended_at IS NULL
      """, row.id, token.generation, now, hash, epoch)
    // Somebody else was faster; run again, the row will show it.
    guard spent == 1, let renewed = try SessionRow.find(row.id, in: writer) else { throw RetryTransaction() }
    return reply(holder, epoch: epoch, renewed, at: now)
  }

  /// The session as it is, and the pair as the last refresh made it: a repeat makes the same one.
  private func reply(
    _ holder: Holder, epoch: Int64, _ renewed: SessionRow, at now: Instant
  ) -> RefreshSessionResponse {
    var response = RefreshSessionResponse()
    response.session = Session(stored: renewed, at: now, current: true)
    response.tokens = SessionTokens(unsigned: holder, epoch: epoch, renewed, now: renewed.renewedAt)
    return response
  }

  /// One of two who hold the same token is a thief, and nobody knows which: neither goes on. The refusal itself leaves
  /// nothing behind, so this is a transaction of its own; a spent token stays spent, so nothing can happen in between.
  private func endFamily(of token: RefreshToken) async throws {
    let core = core
    try await kit.database.write { writer in
      // Once for each family, however often the token comes.
      if let row = try SessionRow.findForUpdate(token.session, in: writer), row.endedAt == nil {
        try core.endSessions([token.session], .tokenReused, in: writer)
        try core.tellOfReuse(row, in: writer)
      }
    }
    kit.log.warning("refresh_token_reused", ["session": .text(token.session.text(kind: IDKind.session))])
  }
}
