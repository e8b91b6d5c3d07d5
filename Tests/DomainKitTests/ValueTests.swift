import Base
import Cryptography
import Foundation
import Storage
import Testing
import WellKnownTypes

@testable import DomainKit

@Suite struct ValueTests {
  @Test(arguments: [0, 1, -1, 999_999_999, -999_999_999, 1_767_225_600_123_456_789, Int64.max, Int64.min] as [Int64])
  func `instants go over the wire and back`(nanoseconds: Int64) {
    let instant = Instant(nanoseconds: nanoseconds)
    let timestamp = Timestamp(instant)
    #expect((0..<1_000_000_000).contains(timestamp.nanos))
    // The first second that an Instant can hold is not whole, so its timestamp is a little outside.
    if nanoseconds > Int64.min + 1_000_000_000 { #expect(Instant(timestamp) == instant) }
  }

  @Test func `malformed timestamps and durations are nil, not a trap`() {
    for (seconds, nanos) in [(Int64.max, Int32(0)), (.min, 0), (0, -1), (0, 1_000_000_000), (0, .min)] {
      var timestamp = Timestamp()
      (timestamp.seconds, timestamp.nanos) = (seconds, nanos)
      #expect(Instant(timestamp) == nil)
    }
    for (seconds, nanos) in [(Int64.max, Int32(0)), (.min, 0), (1, -1), (-1, 1), (0, .min), (0, 1_000_000_000)] {
      var duration = ProtoDuration()
      (duration.seconds, duration.nanos) = (seconds, nanos)
      #expect(Duration(duration) == nil)
    }
    for duration in [Duration.seconds(-3), .nanoseconds(-1_500_000_000), .zero, .milliseconds(1)] {
      #expect(Duration(ProtoDuration(duration)) == duration)
    }
  }

  @Test func `ids of another kind and malformed ones are told apart`() throws {
    let text = Identifier(rawValue: 5).text(kind: "ride")
    #expect(try Identifier(text, kind: "ride", field: "ride_id").rawValue == 5)
    #expect(throws: KitError.wrongIDKind(field: "user_id")) { try Identifier(text, kind: "user", field: "user_id") }
    let error = #expect(throws: KitError.self) { try Identifier("ride_1", kind: "ride", field: "ride_id") }
    #expect(error?.mapping.reason == "INVALID_REQUEST")
  }

  @Test(arguments: [
    ("EN", "en"), ("pt-br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419"), ("fil", "fil"),
    ("de-1996", "de-1996"), ("sl-rozaj-Biske", "sl-rozaj-biske"),
  ])
  func `language tags are read in any case`(text: String, tag: String) {
    #expect(LanguageTag.normalized(text) == tag)
  }

  @Test(arguments: [
    "", "e", "engl", "en-", "-en", "en-US-", "en_US", "en-x-private", "en-u-ca-buddhist", "en-US-GB", "1n",
  ])
  func `what is no language tag is refused`(text: String) {
    #expect(LanguageTag.normalized(text) == nil)
  }

  @Test func `a page token is good for its own query and server`() throws {
    let keys = try ServerKeys(root: .random())
    let query = PageToken.bytes([.text("/a.B/List"), .integer(1)])
    let key: [SQLValue] = [.integer(-5), .text("näme"), .null, .double(0.5), .blob([1, 2])]
    let token = PageToken.encode(key, query: query, keys: keys)
    #expect(PageToken.decode(token, query: query, keys: keys) == key)
    #expect(PageToken.decode(token, query: query + [0], keys: keys) == nil)
    #expect(PageToken.decode(token, query: query, keys: try ServerKeys(root: .random())) == nil)
    #expect(PageToken.decode("", query: query, keys: keys) == nil)
    #expect(PageToken.decode(String(token.dropLast()), query: query, keys: keys) == nil)
  }

  @Test func `the root key is made once, for its owner only, and never overwritten`() throws {
    let folder = NSTemporaryDirectory() + "octet-keys-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/" + KeyStore.fileName
    let first = try KeyStore.open(folder: folder)
    let second = try KeyStore.open(folder: folder)
    #expect(first.requestHash([1]) == second.requestHash([1]))
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [KeyStore.fileName])

    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
    #expect(throws: SecretFileError.openToOthers) { try KeyStore.open(folder: folder) }
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    try Data("nonsense".utf8).write(to: URL(filePath: path))
    #expect(throws: KeyStoreError.malformed) { try KeyStore.open(folder: folder) }
    #expect(try Data(contentsOf: URL(filePath: path)) == Data("nonsense".utf8))
    #expect(throws: SecretFileError.system("open", 2)) { try KeyStore.open(folder: folder + "/missing") }
  }

  @Test func `the error table is as documented`() {
    let table = KitError.samples.map { "\($0.mapping.reason) \($0.mapping.code)" }
    #expect(
      table == [
        "UNAUTHENTICATED UNAUTHENTICATED", "SESSION_ENDED UNAUTHENTICATED", "ACCOUNT_SUSPENDED PERMISSION_DENIED",
        "PERMISSION_DENIED PERMISSION_DENIED", "PERMISSION_DENIED PERMISSION_DENIED",
        "STEP_UP_REQUIRED FAILED_PRECONDITION", "CHALLENGE_REQUIRED FAILED_PRECONDITION",
        "RATE_LIMITED RESOURCE_EXHAUSTED", "OVERLOADED UNAVAILABLE",
        "NOT_FOUND NOT_FOUND", "WRONG_ID_KIND INVALID_ARGUMENT", "INVALID_REQUEST INVALID_ARGUMENT",
        "WRONG_STATE FAILED_PRECONDITION", "ETAG_MISMATCH ABORTED", "REQUEST_ID_REUSED ALREADY_EXISTS",
        "BAD_PAGE_TOKEN INVALID_ARGUMENT", "BAD_RESUME_TOKEN INVALID_ARGUMENT", "RESUME_TOKEN_TOO_OLD OUT_OF_RANGE",
        "SLOW_READER RESOURCE_EXHAUSTED", "CURRENCY_MISMATCH INVALID_ARGUMENT", "UNKNOWN_CURRENCY INVALID_ARGUMENT",
        "AMOUNT_OVERFLOW OUT_OF_RANGE", "LIMIT_EXCEEDED RESOURCE_EXHAUSTED",
        "LIMIT_EXCEEDED RESOURCE_EXHAUSTED", "SELF_TARGET INVALID_ARGUMENT",
        "RESTRICTED FAILED_PRECONDITION", "BAD_LANGUAGE INVALID_ARGUMENT", "INVALID_TEXT INVALID_ARGUMENT",
        "UNKNOWN_ROLE INVALID_ARGUMENT", "METHOD_OFF UNAVAILABLE", "LEASE_LOST ABORTED",
      ])
    #expect(
      TableError.samples.map { "\($0.mapping.reason) \($0.mapping.code)" } == [
        "TABLE_OVERLAP FAILED_PRECONDITION", "ROW_IN_FORCE FAILED_PRECONDITION", "INVALID_REQUEST INVALID_ARGUMENT",
      ])
    let faults = [StorageError.Code.diskFull, .ioFailure, .corrupt].compactMap { code in
      StorageFault(StorageError(code, operation: "commit", message: "secret")).map(\.mapping)
    }
    #expect(
      faults.map { "\($0.reason) \($0.code)" } == [
        "STORAGE_FULL UNAVAILABLE", "STORAGE_FAILED UNAVAILABLE", "STORAGE_DAMAGED DATA_LOSS",
      ])
    #expect(!faults.contains { $0.message.contains("secret") })
    #expect(StorageFault(StorageError(.invalidStatement, operation: "prepare", message: "a bug")) == nil)
  }
}
