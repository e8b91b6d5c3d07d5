import Base
import Blobs
import Foundation
import Testing

@testable import BlobsS3

/// Two nodes write one upload at once: S3 itself would take the parts of both.
@Suite struct S3WriterTests {
  private static let part = 5 << 20
  private static let content = SeededRandomSource(seed: 8).bytes(4 * part)
  private static let garbage = [UInt8](repeating: 7, count: part)

  private func piece(_ number: Int) -> [UInt8] { Array(Self.content[number * Self.part..<(number + 1) * Self.part]) }

  private func place(_ upload: any BlobUpload, in store: S3BlobStore) async throws {
    let key = BlobKey(blob: try await upload.contentID(), upload: upload.id)
    let size = upload.offset
    try await upload.place(key)
    #expect(try await store.bytes(key, 0..<size) == Array(Self.content.prefix(Int(size))))
    #expect(try await store.entries() == [.placed(upload.id, blob: nil, size: size)])
  }

  private func twoNodes(
    pageSize: Int = 1000, _ body: (S3BlobStore, S3BlobStore) async throws -> Void
  ) async throws {
    let options = try await S3Server.common().options()
    try await withStore(options, pageSize: pageSize) { one in
      try await withStore(options, pageSize: pageSize) { other in try await body(one, other) }
    }
  }

  @Test func `a late writer's part harms nothing that the newer one has`() async throws {
    try await twoNodes { one, other in
      let late = try await one.upload(.new())
      try await late.append(piece(0))
      let newer = try await other.upload(late.id)
      #expect(newer.offset == UInt64(Self.part))
      try await newer.append(piece(1))
      // Its part is taken by S3 before it finds out.
      #expect(await blobError { try await late.append(Self.garbage) } == .superseded)
      // As if the newer one's node had died.
      let third = try await one.upload(late.id)
      #expect(third.offset == 2 * UInt64(Self.part))
      try await third.append(piece(2))
      #expect(await blobError { try await newer.append(Self.garbage) } == .superseded)
      try await place(third, in: one)
    }
  }

  @Test func `of two who begin at once, who comes late with the first part is over`() async throws {
    try await twoNodes { one, other in
      let late = try await one.upload(.new())
      let newer = try await other.upload(late.id)
      try await newer.append(piece(0))
      #expect(await blobError { try await late.append(Self.garbage) } == .superseded)
      try await newer.append(piece(1))
      #expect(try await one.upload(late.id).offset == 2 * UInt64(Self.part))
    }
  }

  @Test func `who opened before a part of the older writer was durable does not go on without it`() async throws {
    try await twoNodes { one, other in
      let older = try await one.upload(.new())
      try await older.append(piece(0))
      let newer = try await other.upload(older.id)
      try await older.append(piece(1))
      #expect(await blobError { try await newer.append(Self.garbage) } == .superseded)
      try await older.append(piece(2))
      let third = try await other.upload(older.id)
      #expect(third.offset == 3 * UInt64(Self.part))
      try await third.append(piece(3))
      try await place(third, in: one)
    }
  }

  @Test func `an upload that many writers have taken from each other leaves nothing when it is discarded`() async throws
  {
    // Their records do not come on one page.
    try await twoNodes(pageSize: 1) { one, other in
      let id = UploadID.new()
      for number in 0..<3 { try await (number == 1 ? other : one).upload(id).append(piece(number)) }
      #expect(try await one.entries() == [.upload(id)])
      #expect(try await one.upload(id).offset == 3 * UInt64(Self.part))
      try await other.discard(id)
      #expect(try await one.entries().isEmpty)
      #expect(try await one.upload(id).offset == 0)
    }
  }
}
