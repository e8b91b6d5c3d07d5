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
      let blockers = try core.closing.blockers(of: user.id, in: writer)
      guard blockers.isEmpty else { throw IdentityError.closeBlocked(blockers) }
      return User(stored: try core.closing.close(user, in: writer))
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
      snapshot: { reader in
        guard let row = try ExportRow.find(id, of: caller.user, in: reader), row.isKept(at: now) else {
          throw KitError.notFound("export")
        }
        return Export(row)
      },
      isOver: { $0.state == .ready },
      first: { Self.step($0, token: $1) },
      heartbeat: { WatchExportResponse() },
      step: { event, token in Self.step(try Export(decoding: event.payload), token: token) })
  }

  private static func step(_ export: Export, token: String) -> WatchStep<WatchExportResponse> {
    var response = WatchExportResponse()
    response.resumeToken = token
    response.export = export
    return export.state == .ready ? .finish(response) : .send(response)
  }
}
