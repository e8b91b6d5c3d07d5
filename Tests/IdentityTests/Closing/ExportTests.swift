import Base
import Blobs
import ChildProcess
import Cryptography
import DomainKit
import FilesInMemory
import Foundation
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Identity

/// A domain whose users have contents.
private struct Album: PersonalRecords {
  let name = "album"
  let kit: Kit
  let pictures: [BlobID]

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool { false }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    for number in 0..<20_000 { try record("Picture", "{\"number\":\(number)}") }
  }

  func blobs(of user: Identifier, in reader: any Reader) throws -> [BlobInfo] {
    try pictures.compactMap { try kit.blobs.references.find($0, in: reader) }
  }
}

/// A domain whose records cannot be read.
private struct Broken: PersonalRecords {
  let name = "broken"
  let isBroken: Locked<Bool>

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool { false }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    if isBroken.withLock({ $0 }) { throw StorageError(.corrupt, operation: "export", message: "not readable") }
  }
}

@Suite struct ExportTests {
  /// What tar makes of an archive: the contents by name.
  private func unpacked(_ bytes: [UInt8]) throws -> [String: Data] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "octet-tar-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let archive = folder.appending(path: "archive.tar")
    try Data(bytes).write(to: archive)
    let result = try ChildProcess.run("tar", ["-C", folder.path, "-xf", archive.path])
    #expect(result.status == 0, "\(result.errors)")
    let names = try ChildProcess.run("tar", ["-tf", archive.path]).output.split(separator: "\n").map(String.init)
    return Dictionary(uniqueKeysWithValues: try names.map { ($0, try Data(contentsOf: folder.appending(path: $0))) })
  }

  private func finished(_ id: String, _ client: Client) async throws -> [Export] {
    let watch = client.watchExport(id)
    var seen: [Export] = []
    while let response = try await watch.responses.next() { if let export = response.export { seen.append(export) } }
    return seen
  }

  @Test func `an export is one archive of all domains' records and of the user's contents`() async throws {
    let house = try await House.open()
    let owner = BlobOwner("album.picture", "1")
    let picture = try await house.kit.blobs.put(Array("a picture".utf8))
    try await house.kit.database.write { [kit = house.kit] writer in
      try kit.blobs.references.adopt(picture, by: owner, in: writer)
    }
    house.kit.personalRecords.register(Album(kit: house.kit, pictures: [picture.blob]))
    try await house.client().register("ada", contact: .email("ada@example.org"))
    let login = try await house.client().login("ada", device: try DeviceKey("Ada's phone"))
    let ada = house.client(login.accessToken)
    let begun = try await ada.startExport()
    #expect(begun.state == .preparing && begun.sha256.isEmpty && begun.blobID.isEmpty)
    let watch = ada.watchExport(begun.id)
    let opening = try #require(try await watch.responses.next())
    #expect(opening.export == begun)
    try await house.timers.runDue()
    var steps: [WatchExportResponse] = []
    while let response = try await watch.responses.next() { steps.append(response) }
    let ready = try #require(steps.last?.export)
    #expect(steps.dropLast().allSatisfy { $0.path.isEmpty } && steps.last?.path.hasPrefix("/media/") == true)
    #expect(steps.last?.pathExpireTime?.seconds == 2_000_000_000)
    #expect(steps.compactMap { $0.export?.filesDone } == [1, 2, 3, 3] && ready.filesTotal == 3)
    #expect(
      ready.state == .ready
        && ready.expireTime.flatMap { Instant($0) } == house.clock.now() + IdentityLimits().exportKept)

    let blob = try #require(BlobID(ready.sha256))
    let bytes = try await house.kit.blobs.read(blob).bytes(limit: 1 << 22)
    #expect(house.files.parts.map { $0.blob.text(kind: "blob") } == [ready.blobID])
    #expect(house.files.parts.map(\.subject.text) == [ready.id])
    #expect(Int64(bytes.count) == ready.sizeBytes && Hash.sha256(bytes) == blob.bytes)
    let files = try unpacked(bytes)
    #expect(Set(files.keys) == ["identity.jsonl", "album.jsonl", "blobs/\(picture.blob.text)"])
    #expect(files["blobs/\(picture.blob.text)"] == Data("a picture".utf8))
    let lines = String(decoding: files["identity.jsonl"] ?? Data(), as: UTF8.self).split(separator: "\n")
    let kinds = try lines.map { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return object?["kind"] as? String ?? ""
    }
    #expect(kinds == ["User", "Profile", "Preferences", "ExportedContact", "ExportedDevice", "Session"])
    #expect(lines.contains { $0.contains("ada@example.org") } && lines.contains { $0.contains("Ada's phone") })
    #expect(files["album.jsonl"]?.split(separator: UInt8(ascii: "\n")).count == 20_000)

    // Whoever comes back with a token gets what followed it, and nothing twice.
    let again = ada.watchExport(begun.id, resumeToken: steps[1].resumeToken)
    var rest: [WatchExportResponse] = []
    while let response = try await again.responses.next() { rest.append(response) }
    #expect(rest == Array(steps[2...]))
    #expect(try await finished(begun.id, ada) == [ready])
    await house.close()
  }

  @Test func `a contact that is proved is told once`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", .email("ada@example.org"))
    let id = try Identifier.parse(try await ada.profile().userID, kind: "user")
    let records = try #require(house.identity.personalRecords)
    let kinds = try await house.database.read { reader in
      var kinds: [String] = []
      try records.export(id, in: reader) { kind, json in if json.contains("ada@example.org") { kinds.append(kind) } }
      return kinds
    }
    #expect(kinds == ["ExportedContact"])
    await house.close()
  }

  @Test func `one export a day, kept for seven, and nobody else's`() async throws {
    let house = try await House.open()
    let (ada, _) = try await house.signIn("ada")
    let (eve, _) = try await house.signIn("eve")
    let export = try await ada.startExport()
    try await house.timers.runDue()
    let blob = try #require(BlobID(try await finished(export.id, ada).last?.sha256 ?? ""))
    await expectRefusal(.notFound, "NOT_FOUND") { try await finished(export.id, eve) }
    await expectRefusal(.resourceExhausted, "RATE_LIMITED") { try await ada.startExport() }
    try await house.execute("UPDATE identity_sessions SET proved_at = proved_at - 901000000000", [])
    await expectRefusal(.failedPrecondition, "STEP_UP_REQUIRED") { try await ada.startExport() }

    house.clock.advance(by: IdentityLimits().exportInterval)
    let later = house.client(try await house.client().login("ada").accessToken)
    #expect(try await later.startExport().id != export.id)
    house.clock.advance(by: IdentityLimits().exportKept - IdentityLimits().exportInterval)
    let last = house.client(try await house.client().login("ada").accessToken)
    await expectRefusal(.notFound, "NOT_FOUND") { try await finished(export.id, last) }
    for sweep in house.identity.sweeps {
      while try await sweep.step(house.database) {}
    }
    #expect(try await house.kit.blobs.find(blob) == nil)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_exports") == 1)
    #expect(house.files.parts.isEmpty)
    await house.close()
  }

  @Test(arguments: [false, true])
  func `an export that nobody prepares any more has failed, and another one can be asked for`(isAbandoned: Bool)
    async throws
  {
    let house = try await House.open()
    let broken = Locked(true)
    house.kit.personalRecords.register(Broken(isBroken: broken))
    let (ada, login) = try await house.signIn("ada")
    let begun = try await ada.startExport()
    let watch = ada.watchExport(begun.id)
    #expect(try await watch.responses.next()?.export?.state == .preparing)
    let timers = house.timers
    let user = try Identifier.parse(login.user?.id ?? "", kind: "user")
    let export = try Identifier.parse(begun.id, kind: "export")
    let key = "\(user.rawValue)/\(export.rawValue)"
    if isAbandoned {
      let wasThere = try await house.database.write { try timers.abandon("identity.export", key: key, in: $0) }
      #expect(wasThere)
    } else {
      for _ in 0..<RetryPolicy().attempts { try await house.advance(by: .seconds(3600)) }
    }
    var last: WatchExportResponse?
    while let response = try await watch.responses.next() { last = response }
    #expect(last?.export?.state == .failed && last?.path == "")
    broken.withLock { $0 = false }
    let again = house.client(try await house.client().login("ada").accessToken)
    #expect(try await finished(begun.id, again).map(\.state) == [.failed])
    // What staff try once more, or cancel then, is not told to anybody any more.
    for isCancelled in [true, false] {
      try await house.database.write { writer in
        try timers.set("identity.export", key: key, due: house.clock.now(), in: writer)
        if isCancelled { #expect(try timers.abandon("identity.export", key: key, in: writer)) }
      }
      try await house.timers.runDue()
      #expect(try await finished(begun.id, again).map(\.state) == [.failed])
    }
    let second = try await again.startExport()
    try await house.timers.runDue()
    #expect(try await finished(second.id, again).last?.state == .ready)
    house.clock.advance(by: IdentityLimits().exportKept)
    for sweep in house.identity.sweeps { while try await sweep.step(house.database) {} }
    #expect(try await house.count("SELECT COUNT(*) FROM identity_exports WHERE failed_at IS NOT NULL") == 0)
    await house.close()
  }

  @Test func `an export has the roles and machines that a user had, too, without their sessions' secrets`() async throws
  {
    let house = try await House.open()
    let (root, login) = try await house.signIn("root_")
    try await house.identity.grantRole(handle: "root_", role: "admin")
    let id = login.user?.id ?? ""
    _ = try await root.revoke(try await root.grant("shop.courier", to: id).id)
    _ = try await root.revokeCredential(try await root.createCredential(SigningKey(seed: .random()), [("ops", "")]).id)
    let records = try #require(house.identity.personalRecords)
    let user = try Identifier.parse(id, kind: "user")
    let exported = try await house.database.read { reader in
      var lines: [String] = []
      try records.export(user, in: reader) { lines.append("\($0) \($1)") }
      return lines
    }
    #expect(exported.contains { $0.hasPrefix("Grant ") && $0.contains("shop.courier") && $0.contains("revokeTime") })
    #expect(exported.contains { $0.hasPrefix("Credential ") && $0.contains("ops") && $0.contains("revokeTime") })
    await house.close()
  }

  @Test func `an erased account leaves no export, finished or not`() async throws {
    let house = try await House.open()
    let (ada, _) = try await house.signIn("ada")
    let export = try await ada.startExport()
    try await house.timers.runDue()
    let blob = try #require(BlobID(try await finished(export.id, ada).last?.sha256 ?? ""))
    try await ada.closeAccount()
    try await house.execute(
      "INSERT INTO identity_exports (user_id, id, requested_at) SELECT id, 1, 0 FROM identity_users", [])
    try await house.advance(by: Closing.delay)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_exports") == 0)
    #expect(house.files.parts.isEmpty)
    #expect(try await house.kit.blobs.find(blob) == nil)
    await house.close()
  }

  @Test func `sizes beyond eight gigabytes fit into the archive`() throws {
    let header = TarArchive.header("large", size: 1 << 40, at: Instant(seconds: 0))
    let bytes = header[124..<136]
    #expect(bytes.first == 0x80 && bytes.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } == 1 << 40)
    #expect(TarArchive.padding(after: 512).isEmpty && TarArchive.padding(after: 513).count == 511)
  }
}
