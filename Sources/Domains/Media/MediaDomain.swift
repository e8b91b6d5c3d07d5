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

  let worker: MediaWorker

  /// Sets the handlers of its jobs, so `timers` must not have been started.
  /// - Parameters:
  ///   - kit: with blobs.
  ///   - workFolder: for files that ffmpeg reads and writes, and for nothing else. Emptied at the start.
  public init(kit: Kit, timers: Timers, workFolder: String, limits: MediaLimits = MediaLimits()) {
    core = MediaCore(
      kit: kit, timers: timers, limits: limits, linkKey: kit.keys.derived(for: "media links 1"))
    worker = MediaWorker(core: core, tools: MediaTools(limits: limits), folder: workFolder)
    worker.handleJobs()
    core.handleSettling()
    core.handleGone()
  }

  public func start() async throws { try await worker.prepareFolder() }

  /// What other domains make files parts of their things with.
  public var files: any Files { MediaFiles(core: core) }

  /// Takes their files from things that are gone.
  public var observer: any SubjectObserver { GoneThings(core: core) }

  public var sweeps: [any Sweep] { [UploadExpiry(core: core)] }

  public var topicRetention: [String: TopicRetention] {
    ["upload": TopicRetention(age: core.limits.uploadIdle), "blob": TopicRetention(age: core.limits.uploadIdle)]
  }

  public var routes: [any PlainRoute] { [BlobRoute(core: core)] }

  public var personalRecords: (any PersonalRecords)? { MediaRecords(core: core) }

  public func register(in registry: inout ServiceRegistry) { MediaHandlers(core: core).register(in: &registry) }

  /// Checks the invariants of the domain on one snapshot.
  public func checkInvariants() async throws -> [InvariantCheck] {
    try await core.kit.checkOnSnapshot { [core] in try MediaAudit(reader: $0, subjects: core.kit.subjects).reports() }
  }
}
