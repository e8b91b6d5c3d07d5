import Foundation
import ProtobufRuntime
import Testing

/// What Python's protobuf has made of the same messages and texts (see make_corpus.py).
@Suite struct JSONCorpusTests {
  let codec: JSONCodec
  let cases: [(kind: Substring, wire: [UInt8], json: String)]

  init() throws {
    codec = JSONCodec(try Protoc.pool(of: "everything.proto"))
    let path = URL(filePath: #filePath).appending(path: "../../../JSONCorpus/corpus.tsv").standardized
    cases = try String(contentsOf: path, encoding: .utf8).split(separator: "\n").map { line in
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
      return (parts[0], try #require(bytes(hex: parts[1])), String(parts[2]))
    }
    try #require(Set(cases.map(\.kind)) == ["both", "read", "refuse"])
  }

  @Test func writesTheJSONThatPythonWrites() throws {
    for line in cases where line.kind == "both" {
      let json = try codec.json(fromWire: line.wire, type: "everything.v1.Everything")
      #expect(try tree(json) == tree(Array(line.json.utf8)))
    }
  }

  @Test func readsTheJSONThatPythonWrites() throws {
    for line in cases where line.kind == "both" {
      let wire = try codec.wire(fromJSON: Array(line.json.utf8), type: "everything.v1.Everything")
      #expect(wire.count == line.wire.count)
      let again = try codec.json(fromWire: wire, type: "everything.v1.Everything")
      #expect(try tree(again) == tree(Array(line.json.utf8)))
    }
  }

  @Test func readsWhatPythonReads() throws {
    for line in cases where line.kind == "read" {
      let json = try #require(try JSONDecoder().decode(String?.self, from: Data(line.json.utf8)))
      let wire = try codec.wire(fromJSON: Array(json.utf8), type: "everything.v1.Everything")
      #expect(normalized(wire) == normalized(line.wire), "\(json)")
    }
  }

  @Test func refusesWhatPythonRefuses() throws {
    for line in cases where line.kind == "refuse" {
      let json = try #require(try JSONDecoder().decode(String?.self, from: Data(line.json.utf8)))
      #expect(throws: JSONError.self, "\(json)") {
        try codec.wire(fromJSON: Array(json.utf8), type: "everything.v1.Everything")
      }
    }
  }

  /// Wire forms with the same fields in another order become equal.
  private func normalized(_ wire: [UInt8]) -> String? {
    (try? codec.json(fromWire: wire, type: "everything.v1.Everything")).map { String(decoding: $0, as: UTF8.self) }
  }

  private func tree(_ json: [UInt8]) throws -> NSDictionary? {
    try JSONSerialization.jsonObject(with: Data(json)) as? NSDictionary
  }
}

/// The octets that pairs of hexadecimal digits stand for.
func bytes(hex: Substring) -> [UInt8]? {
  var result: [UInt8] = []
  var rest = hex
  while !rest.isEmpty {
    guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
    result.append(byte)
    rest = rest.dropFirst(2)
  }
  return result
}
