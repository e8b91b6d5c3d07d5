import Base
import Blobs
import DomainKit
import MediaAPI
import Storage

/// The jobs that look at blobs and make renditions of them: one job for each blob and profile. What a job writes commits
/// under its fence, so a worker that was taken for lost changes nothing.
struct MediaWorker: Sendable {
  static let probeKind = "media.probe"
  static let renderKind = "media.render"

  /// The key of the job that makes one rendition.
  static func renderKey(_ id: Identifier, _ profile: String) -> String { id.text(kind: IDKind.blob) + "/" + profile }

  let core: MediaCore
  let tools: MediaTools
  /// For files that ffmpeg reads and writes; of this process alone.
  let folder: String

  /// Says how to do the jobs. Before the timers start.
  func handleJobs() {
    var policy = RetryPolicy()
    // One more, for a blob of which no attempt came to an end: it only says so.
    policy.attempts = core.limits.processingAttempts + 1
    core.timers.work(Self.probeKind, policy: policy, atOnce: core.limits.jobsAtOnce) { try await probe($0) }
    core.timers.work(Self.renderKind, policy: policy, atOnce: core.limits.jobsAtOnce) { try await render($0) }
  }

  /// Makes the folder, and removes what a crash has left in it.
  func prepareFolder() async throws {
    let folder = folder
    try await OSThread.run(name: "media") {
      _ = try DiskFolder.make(folder)
      for name in try DiskFolder.names(folder) { try DiskFolder.remove("\(folder)/\(name)") }
    }
  }

  // MARK: Probing

  private struct Findings: Sendable {
    var contentType: String
    var width: Int
    var height: Int
    var duration: Duration?
    var profiles: [String]
  }

  private func probe(_ job: Job) async throws {
    let id = try Identifier.parse(job.timer.key, kind: IDKind.blob)
    guard let (row, info) = try await source(of: id), row.state == .probing else { return }
    try await settling(job, id) {
      let found = try await look(row, info)
      try await job.finish { [core] writer in
        guard var row = try BlobRow.lock(id, in: writer), row.state == .probing else { return }
        row.state = .transcoding
        (row.contentType, row.duration) = (found.contentType, found.duration)
        (row.width, row.height) = (Int32(clamping: found.width), Int32(clamping: found.height))
        try row.update(in: writer)
        for profile in found.profiles {
          try RenditionRow(blob: id, profile: profile).put(in: writer)
          try core.timers.set(Self.renderKind, key: Self.renderKey(id, profile), due: core.now, in: writer)
        }
        try core.publish(row, in: writer)
      }
    }
  }

  private func look(_ row: BlobRow, _ info: BlobInfo) async throws -> Findings {
    if row.kind == .image {
      let header = try await imageHeader(info)
      let shown = header.shown
      return Findings(
        contentType: header.format.contentType, width: shown.width, height: shown.height,
        profiles: Profile.pictures(width: shown.width, height: shown.height))
    }
    return try await withFiles(info) { files in
      if row.kind == .audio {
        let facts = try await tools.probeSound(files.input)
        return Findings(
          contentType: facts.contentType, width: 0, height: 0, duration: facts.duration, profiles: Profile.sounds)
      }
      let facts = try await tools.probe(files.input)
      return Findings(
        contentType: facts.contentType, width: facts.width, height: facts.height, duration: facts.duration,
        profiles: Profile.films(width: facts.width, height: facts.height))
    }
  }

  /// What the head of a picture says, before anything of it is decoded.
  private func imageHeader(_ info: BlobInfo) async throws -> ImageHeader {
    let length = min(info.size, UInt64(ImageHeader.longestHead))
    let head = try await core.kit.blobs.read(info, range: 0..<length).bytes(limit: ImageHeader.longestHead)
    guard var header = ImageHeader(head) else { throw MediaFailure.unsupportedFormat }
    guard header.width <= core.limits.imagePixels / header.height else { throw MediaFailure.tooManyPixels }
    let turned = try await ImageHeader.chunkedOrientation(header.format) { range in
      let end = min(range.upperBound, info.size)
      guard range.lowerBound < end else { return [] }
      return try await core.kit.blobs.read(info, range: range.lowerBound..<end).bytes(limit: range.count)
    }
    header.orientation = turned ?? header.orientation
    return header
  }

  // MARK: Rendering

  private func render(_ job: Job) async throws {
    let parts = job.timer.key.split(separator: "/")
    guard parts.count == 2, let profile = Profile(name: String(parts[1])) else { return }
    let (id, name) = (try Identifier.parse(String(parts[0]), kind: IDKind.blob), String(parts[1]))
    guard let (row, info) = try await source(of: id), row.state == .transcoding else { return }
    try await settling(job, id) {
      let (made, content) = try await make(row, info, profile, name)
      try await upload(content) { finished in
        var rendition = made
        (rendition.content, rendition.size) = (finished.blob, Int64(finished.size))
        try await store(rendition, finished, job)
      }
    }
  }

  /// Puts a content into the store for a body that makes it part of something. Nothing is left of it if that fails; a crash
  /// leaves what expires by itself.
  func upload(_ content: consuming [UInt8], _ body: (FinishedUpload) async throws -> Void) async throws {
    let upload = try await core.kit.blobs.begin()
    do {
      for start in stride(from: 0, to: content.count, by: Self.pieceBytes) {
        try await upload.append(Array(content[start..<min(start + Self.pieceBytes, content.count)]))
      }
      content = []
      try await body(try await upload.finish())
    } catch {
      // The task of a job that was lost is cancelled, and writes nothing any more.
      await Task { [core] in try? await core.kit.blobs.cancel(upload.id) }.value
      throw error
    }
  }

  private static let pieceBytes = 1 << 20
  /// Far more than the lines of a minute's segments.
  private static let playlistBytes = 64 << 10

  private func store(_ rendition: RenditionRow, _ finished: FinishedUpload, _ job: Job) async throws {
    try await job.finish { [core] writer in
      guard let row = try BlobRow.lock(rendition.blob, in: writer), row.state == .transcoding else {
        return try core.kit.blobs.cancel(finished.upload, in: writer)
      }
      try rendition.put(in: writer)
      try core.kit.blobs.references.adopt(
        finished, by: ContentOwner.rendition(row.id, rendition.profile), in: writer)
      try core.becomeReadyIfWhole(row, in: writer)
    }
  }

  private func make(
    _ row: BlobRow, _ info: BlobInfo, _ profile: Profile, _ name: String
  ) async throws -> (RenditionRow, [UInt8]) {
    var rendition = RenditionRow(blob: row.id, profile: name)
    rendition.contentType = profile.contentType
    let (width, height) = (Int(row.width), Int(row.height))
    let facts = FilmFacts(
      width: width, height: height, duration: row.duration ?? .zero, contentType: row.contentType)
    let header = row.kind == .image ? try await imageHeader(info) : nil
    return try await withFiles(info) { files in
      var file = files.prefix + name
      switch (profile, header) {
      case (.picture, let header?):
        try await tools.renderPicture(header, profile, from: files.input, to: files.output(name))
      case (.still, nil): try await tools.renderStill(facts, profile, from: files.input, to: files.output(name))
      case (.film, nil):
        try await tools.renderFilm(facts, profile, name: file, from: files.input, in: folder)
        let list = try await files.read(file + HLSPlaylist.suffix, limit: Self.playlistBytes)
        // Beside it, the film has the name of its profile.
        rendition.playlist = String(decoding: list, as: UTF8.self).replacing(file, with: name)
        rendition.segments = HLSPlaylist.segments(rendition.playlist)
        file += HLSPlaylist.filmSuffix
      case (.sound, nil):
        try await tools.renderSound(from: files.input, to: files.output(name))
        rendition.codecs = "mp4a.40.2"
      default: throw MediaFailure.processingFailed
      }
      let content = try await files.read(file, limit: core.limits.renditionBytes)
      let size = profile.size(width: width, height: height)
      (rendition.width, rendition.height) = (Int32(clamping: size.width), Int32(clamping: size.height))
      if profile.plays, facts.duration > .zero {
        rendition.bitRate = Int64(content.count) * 8000 / max(1, facts.duration.inMilliseconds)
      }
      if case .film = profile { rendition.codecs = FilmCodecs.text(content.prefix(1 << 16)) }
      return (rendition, content)
    }
  }

  // MARK: What both do

  private func source(of id: Identifier) async throws -> (BlobRow, BlobInfo)? {
    try await core.kit.database.read { [core] reader in
      guard let row = try BlobRow.find(id, in: reader),
        let info = try core.kit.blobs.references.find(row.content, in: reader)
      else { return nil }
      return (row, info)
    }
  }

  /// Runs a job's body. What the upload is to blame for fails the blob at once; anything else with the last attempt, unless
  /// it costs none.
  private func settling(_ job: Job, _ id: Identifier, _ body: () async throws -> Void) async throws {
    let failure: MediaFailure
    do {
      guard job.timer.attempt <= core.limits.processingAttempts else { throw MediaFailure.processingFailed }
      return try await body()
    } catch let error as MediaFailure {
      failure = error
    } catch is CancellationError {
      throw CancellationError()
    } catch let error as JobLost {
      throw error
    } catch {
      guard job.timer.attempt >= core.limits.processingAttempts, !error.costsNoAttempt else { throw error }
      core.kit.log.error("media_processing_failed", ["job": .text(job.timer.key), "error": .text("\(error)")])
      failure = .processingFailed
    }
    try await job.finish { [core] writer in try core.fail(id, failure, in: writer) }
  }

  /// Copies a content to where a program can read it, and removes all files of the body after it.
  private func withFiles<Result: Sendable>(
    _ info: BlobInfo, _ body: (WorkFiles) async throws -> Result
  ) async throws -> Result {
    let files = WorkFiles(folder: folder, prefix: HexText.text(core.kit.random.bytes(8)) + ".")
    do {
      try await files.write(try await core.kit.blobs.read(info))
      let result = try await body(files)
      await files.remove()
      return result
    } catch {
      await files.remove()
      throw error
    }
  }
}

extension MediaCore {
  /// Sets the job that looks at a blob.
  func startProcessing(_ id: Identifier, in writer: any Writer) throws {
    try timers.set(MediaWorker.probeKind, key: id.text(kind: IDKind.blob), due: now, in: writer)
  }

  /// The blob, locked, is READY once all that is to be made of it is there.
  func becomeReadyIfWhole(_ row: BlobRow, in writer: any Writer) throws {
    var row = row
    let isWaiting = try writer.exists(
      "SELECT 1 FROM media_renditions WHERE blob_id = $1 AND content IS NULL LIMIT 1", row.id)
    if !isWaiting {
      row.state = .ready
      try row.update(in: writer)
      try tellThings(of: row.id, in: writer)
    }
    try publish(row, in: writer)
  }

  /// Nothing can be made of a blob; what was made goes.
  func fail(_ id: Identifier, _ failure: MediaFailure, in writer: any Writer) throws {
    guard var row = try BlobRow.lock(id, in: writer), row.state != .ready else { return }
    (row.state, row.failure) = (.failed, failure.reason)
    try row.update(in: writer)
    try removeRenditions(of: id, in: writer)
    try publish(row, in: writer)
    try tellThings(of: id, in: writer)
  }

  /// Removes what was made of a blob, and what is being made.
  func removeRenditions(of id: Identifier, in writer: any Writer) throws {
    for rendition in try RenditionRow.list(of: id, in: writer) {
      try timers.cancel(MediaWorker.renderKind, key: MediaWorker.renderKey(id, rendition.profile), in: writer)
      guard let content = rendition.content else { continue }
      try kit.blobs.references.remove(content, by: ContentOwner.rendition(id, rendition.profile), in: writer)
    }
    try writer.execute("DELETE FROM media_renditions WHERE blob_id = $1", id)
  }
}
