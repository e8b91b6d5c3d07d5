import Base
import Storage
import Testing

/// How arguments come to a statement: a call with none, with one to six, and with more is compiled in a different way.
@Suite struct ArgumentConformance {
  private struct Unchanged: Error, Equatable {}

  /// A row of the table below.
  private struct Wide: Equatable, Sendable {
    var a: Int
    var b: String?
    var c: [UInt8]?
    var d: Double?
    var e: Instant?
    var f: Bool?
    var g: Int?
  }

  private typealias Statement = @Sendable (any Writer) throws -> Void

  private static let schema = Migration(
    "wide", 1, "seven columns",
    sql: "CREATE TABLE wide (a INTEGER PRIMARY KEY, b TEXT, c BLOB, d REAL, e INTEGER, f INTEGER, g INTEGER);")

  private static let bytes: [UInt8] = [3]
  private static let time = Instant(nanoseconds: 5)

  private static func insert(_ count: Int) -> String {
    let columns = ["a", "b", "c", "d", "e", "f", "g"].prefix(count).joined(separator: ", ")
    return "INSERT INTO wide (\(columns)) VALUES \(placeholders(from: 1, count: count))"
  }

  private static func deletion(_ count: Int) -> String {
    "DELETE FROM wide WHERE a IN \(placeholders(from: 1, count: count))"
  }

  /// What is there after statements with none to seven arguments.
  private static func expected(_ first: Int) -> [Wide] {
    (0...7).map { count in
      Wide(
        a: first + count, b: count > 1 ? "b" : nil, c: count > 2 ? bytes : nil, d: count > 3 ? 4.5 : nil,
        e: count > 4 ? time : nil, f: count > 5 ? true : nil, g: count > 6 ? 7 : nil)
    }
  }

  private func rows(_ database: any Database) async throws -> [Wide] {
    try await database.read { reader in
      try reader.rows("SELECT a, b, c, d, e, f, g FROM wide ORDER BY a") {
        Wide(a: $0[0], b: $0[1], c: $0[2], d: $0[3], e: $0[4], f: $0[5], g: $0[6])
      }
    }
  }

  @Test(arguments: Engine.all) func `a statement gets the arguments of its call, however many, in their order`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Self.schema]) { database in
      let (bytes, time) = (Self.bytes, Self.time)
      try await database.write { writer in
        let counts = [
          try writer.execute("INSERT INTO wide (a) VALUES (0)"),
          try writer.execute(Self.insert(1), 1),
          try writer.execute(Self.insert(2), 2, "b"),
          try writer.execute(Self.insert(3), 3, "b", bytes),
          try writer.execute(Self.insert(4), 4, "b", bytes, 4.5),
          try writer.execute(Self.insert(5), 5, "b", bytes, 4.5, time),
          try writer.execute(Self.insert(6), 6, "b", bytes, 4.5, time, true),
          try writer.execute(Self.insert(7), 7, "b", bytes, 4.5, time, true, 7),
        ]
        #expect(counts == Array(repeating: 1, count: 8))
      }
      #expect(try await rows(database) == Self.expected(0))
    }
  }

  @Test(arguments: Engine.all) func `so does one whose count nobody wants`(engine: Engine) async throws {
    try await engine.withDatabase([Self.schema]) { database in
      let (bytes, time) = (Self.bytes, Self.time)
      try await database.write { writer in
        try writer.send("INSERT INTO wide (a) VALUES (10)")
        try writer.send(Self.insert(1), 11)
        try writer.send(Self.insert(2), 12, "b")
        try writer.send(Self.insert(3), 13, "b", bytes)
        try writer.send(Self.insert(4), 14, "b", bytes, 4.5)
        try writer.send(Self.insert(5), 15, "b", bytes, 4.5, time)
        try writer.send(Self.insert(6), 16, "b", bytes, 4.5, time, true)
        try writer.send(Self.insert(7), 17, "b", bytes, 4.5, time, true, 7)
      }
      #expect(try await rows(database) == Self.expected(10))
    }
  }

  /// None finds a row.
  private static let losing: [Statement] = [
    { try $0.send("DELETE FROM wide WHERE a < 0", orElse: Unchanged()) },
    { try $0.send(deletion(1), -1, orElse: Unchanged()) },
    { try $0.send(deletion(2), -1, -2, orElse: Unchanged()) },
    { try $0.send(deletion(3), -1, -2, -3, orElse: Unchanged()) },
    { try $0.send(deletion(4), -1, -2, -3, -4, orElse: Unchanged()) },
    { try $0.send(deletion(5), -1, -2, -3, -4, -5, orElse: Unchanged()) },
    { try $0.send(deletion(6), -1, -2, -3, -4, -5, -6, orElse: Unchanged()) },
    { try $0.send(deletion(7), -1, -2, -3, -4, -5, -6, -7, orElse: Unchanged()) },
  ]

  @Test(arguments: Engine.all) func `one that must change a row is refused with any number of arguments`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Self.schema]) { database in
      for (count, statement) in Self.losing.enumerated() {
        await #expect(throws: Unchanged(), "\(count) arguments") {
          try await database.write { writer in
            try writer.send(Self.insert(1), 1)
            try statement(writer)
          }
        }
      }
      let left = try await rows(database)
      #expect(left.isEmpty)
    }
  }

  @Test(arguments: Engine.all) func `one without a value is an argument all the same`(engine: Engine) async throws {
    try await engine.withDatabase([Self.schema]) { database in
      try await database.write { writer in
        try writer.execute(Self.insert(2), 1, nil as String?)
        try writer.send(Self.insert(3), 2, "b", nil as [UInt8]?)
        try writer.send(Self.insert(7), 3, nil as String?, Self.bytes, nil as Double?, Self.time, nil as Bool?, 7)
      }
      let expected = [
        Wide(a: 1), Wide(a: 2, b: "b"), Wide(a: 3, c: Self.bytes, e: Self.time, g: 7),
      ]
      #expect(try await rows(database) == expected)
    }
  }
}
