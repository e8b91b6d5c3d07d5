public import DomainKit
import MediaAPI
public import RPC
public import Storage
public import Streaming

/// Files: uploads, blobs, what is made of them, and who may have them.
public struct MediaDomain: Domain {
  public static let name = "media"
  public static var migrations: [Migration] { MediaSchema.migrations }
  public static var descriptors: [[UInt8]] { [MediaAPIDescriptors.serializedFileDescriptorSet] }

  let core: MediaCore

  /// - Parameter kit: with blobs.
  public init(kit: Kit, limits: MediaLimits = MediaLimits()) {
    core = MediaCore(kit: kit, limits: limits, linkKey: kit.keys.derived(for: "media links 1"))
  }

  /// What other domains make files parts of their things with.
  public var files: any Files { MediaFiles(core: core) }

  public var sweeps: [any Sweep] { [UploadExpiry(core: core)] }

  public var topicRetention: [String: TopicRetention] {
    ["upload": TopicRetention(age: core.limits.uploadIdle), "blob": TopicRetention(age: core.limits.uploadIdle)]
  }

  public var routes: [any PlainRoute] { [BlobRoute(core: core)] }

  public var personalRecords: (any PersonalRecords)? { MediaRecords(core: core) }

  public func register(in registry: inout ServiceRegistry) { MediaHandlers(core: core).register(in: &registry) }

  /// Checks the invariants of the domain on one snapshot.
  public func checkInvariants() async throws -> [InvariantCheck] {
    try await core.kit.database.read { try MediaAudit(reader: $0).reports() }
  }
}
