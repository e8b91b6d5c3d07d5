import Base
import Foundation
import PostgreSQLServer
import Testing

@testable import Storage

/// Databases of every earlier version come up to this one's schema with all their rows, and the version before can go
/// on using them: docs/guides/migrations.md. What a version looked like is made by its own steps, which never change.
@Suite struct SchemaHistoryTests {
  private static let current = Task {
    let place = try await SchemaHistory.Place.make()
    defer { place.remove() }
    let database = try await place.open(SchemaHistory.steps)
    let schema = try await database.schemaText()
    await database.close()
    return schema
  }

  @Test func `there is something to try`() {
    #expect(SchemaHistory.versions.count > 20)
    #expect(SchemaHistory.versions.contains { $0.testDescription == "storage at 1" })
  }

  @Test(arguments: SchemaHistory.versions)
  func `up from an earlier version, which may still be serving`(version: SchemaHistory.Version) async throws {
    let place = try await SchemaHistory.Place.make()
    defer { place.remove() }
    let old = try await place.open(version.steps)
    let tables = try await TableSample.all(of: old)
    #expect(tables.count > 10)
    try await old.write { writer in
      for table in tables { for number in 1...2 { try table.insert(number, in: writer) } }
    }
    try await Self.speak(of: tables, old)
    _ = try await Self.rows(of: tables, old)
    // Of several nodes the old ones have their sessions, in which all of that is prepared. Elsewhere there is one.
    if !EngineUnderTest.isPostgreSQL { await old.close() }

    let new = try await place.open(SchemaHistory.steps)
    let speaker = EngineUnderTest.isPostgreSQL ? old : new
    #expect(try await new.schemaText() == Self.current.value)
    let after = try await Self.rows(of: tables, new)
    for table in tables {
      let lost = Set((1...2).map(table.row)).subtracting(after[table.name, default: []])
      #expect(lost.isEmpty, "rows of \(table.name)")
    }
    try await Self.speak(of: tables, speaker)
    #expect(try await Self.rows(of: tables, speaker) == after)
    if EngineUnderTest.isPostgreSQL { await old.close() }
    await new.close()
  }

  /// What a program of one version says, in one transaction, which shows the first statement that fails.
  private static func speak(of tables: [TableSample], _ database: any Database) async throws {
    try await database.write { writer in
      for table in tables {
        try table.insert(3, in: writer)
        #expect(try table.update(3, in: writer) == 1, "\(table.name)")
      }
      for table in tables.reversed() { #expect(try table.delete(3, in: writer) == 1, "\(table.name)") }
    }
  }

  private static func rows(
    of tables: [TableSample], _ database: any Database
  ) async throws -> [String: Set<[SQLValue]>] {
    try await database.read { reader in
      try Dictionary(uniqueKeysWithValues: tables.map { ($0.name, try $0.rows(reader)) })
    }
  }

  @Test func `steps that have landed are as they were`() throws {
    let file = "steps.txt"
    let now = SchemaHistory.steps.map { "\($0.component) \($0.number) \($0.checksum)" }
    let landed = try GoldenFile.read(file).split(separator: "\n").map(String.init)
    let changed = Set(landed).subtracting(now)
    // Not even written anew: databases have them.
    try #require(changed.isEmpty, "a step that has landed stays as it is; what is to be different is a step of its own")
    let text = now.map { $0 + "\n" }.joined()
    #expect(try text == GoldenFile.read(file, updatedTo: text), "OCTET_UPDATE_GOLDEN=1 adds new steps")
  }
}
