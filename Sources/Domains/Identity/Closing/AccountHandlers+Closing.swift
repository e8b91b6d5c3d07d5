import Base
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage
import Streaming
import WellKnownTypes

extension AccountHandlers {
  func closeAccount(_ request: CloseAccountRequest, context: ServerContext) async throws -> User {
    let caller = try context.requireCaller()
    return try await core.kit.mutate(request, context, complete: User.addPersonalData) { writer, standing in
      try core.requireFreshProof(standing)
      guard let user = try UserRow.findForUpdate(caller.user, in: writer) else { throw KitError.sessionEnded }
      guard user.state == .new || user.state == .active else {
        throw KitError.wrongState(UserState(user.state).protoName)
      }
      return User(stored: try core.closing.closeUnlessBlocked(user, in: writer))
    }
  }

  func closeSuspendedAccount(_ request: CloseSuspendedAccountRequest, context: ServerContext) async throws -> User {
    let proof = try await LoginProof(
      request, of: request.loginName, password: request.password, nil, key: [], core, context)
    let complete: @Sendable (inout User, any Writer) throws -> Void = { reply, writer in
      try proof.succeed(in: writer)
      try reply.addPersonalData(in: writer)
    }
    return try await core.kit.mutate(request, context, scope: .client(proof.nameHash), complete: complete) {
      [core] writer in
      let user = try proof.user(in: writer)
      guard user.state == .suspended else { throw KitError.wrongState(UserState(user.state).protoName) }
      return User(stored: try core.closing.closeUnlessBlocked(user, in: writer))
    }
  }

  func startExport(_ request: StartExportRequest, context: ServerContext) async throws -> Export {
    let caller = try context.requireCaller()
    return try await core.kit.mutate(request, context) { writer, standing in
      try core.requireFreshProof(standing)
      return Export(try core.exports.start(of: caller.user, in: writer))
    }
  }

  func watchExport(
    _ request: WatchExportRequest, responses: ResponseWriter<WatchExportResponse>, context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    let id = try Identifier(request.exportID, kind: IDKind.export, field: "export_id")
    let now = core.kit.clock.now()
    try await core.kit.watch(
      ExportRow.topic(of: id), resumeToken: request.resumeToken, responses, context,
      snapshot: { [core] reader in
        guard let row = try ExportRow.find(id, of: caller.user, in: reader), row.isKept(at: now) else {
          throw KitError.notFound("export")
        }
        return try Self.news(Export(row), row, core, in: reader)
      },
      isOver: { $0.export?.isOver == true },
      first: { Self.step($0, token: $1) },
      heartbeat: { WatchExportResponse() },
      read: { [core] event, reader in
        let row = try ExportRow.find(id, of: caller.user, in: reader)
        return try Self.news(Export(decoding: event.payload), row, core, in: reader)
      },
      step: { Self.step($0, token: $1) })
  }

  /// How an export stands, with a path to the archive once there is one.
  private static func news(
    _ export: Export, _ row: ExportRow?, _ core: IdentityCore, in reader: any Reader
  ) throws -> WatchExportResponse {
    var response = WatchExportResponse()
    response.export = export
    guard export.state == .ready, let row, let blob = row.blob,
      let signed = try core.files?.sign(
        blob, in: row.subject, as: ExportRow.slot, rendition: nil, for: row.user, reader)
    else { return response }
    response.path = signed.path
    response.pathExpireTime = Timestamp(signed.expiresAt)
    return response
  }

  private static func step(_ news: WatchExportResponse, token: String) -> WatchStep<WatchExportResponse> {
    var response = news
    response.resumeToken = token
    return response.export?.isOver == true ? .finish(response) : .send(response)
  }
}
