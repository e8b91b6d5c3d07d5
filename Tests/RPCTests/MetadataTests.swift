import Testing

@testable import RPC

struct MetadataTests {
  @Test func looksUpInAnyCase() throws {
    var metadata = Metadata()
    try metadata.add("X-Tenant", "north")
    try metadata.add("x-tenant", "south")
    #expect(metadata["x-TENANT"] == "north")
    #expect(metadata.values("X-tenant") == ["north", "south"])
  }

  @Test(arguments: [[], [0], [0, 1], [0, 1, 2], [255, 254, 253, 252], Array(0...255)] as [[UInt8]])
  func carriesBytes(_ bytes: [UInt8]) throws {
    var metadata = Metadata()
    try metadata.add("x-bin", binary: bytes)
    #expect(try metadata.binary("x-bin") == [bytes])
    #expect(metadata["x-bin"]?.contains("=") == false)
  }

  @Test func acceptsPaddedUnpaddedAndJoinedBytes() throws {
    let metadata = Metadata(received: ["x-bin": "AQ==,AQI, AQID", "x-bin": "/+8="])
    #expect(try metadata.binary("x-bin") == [[1], [1, 2], [1, 2, 3], [0xff, 0xef]])
  }

  @Test(arguments: ["A", "A===", "AQ=", "AR==", "A-__", "AQ==AQ=="])
  func refusesInvalidBase64(_ text: String) {
    let metadata = Metadata(received: ["x-bin": text])
    #expect(throws: MetadataError.invalidBase64(name: "x-bin")) { try metadata.binary("x-bin") }
  }

  @Test(arguments: ["", " ", "a b", "ä", ":path", "a\n"])
  func refusesInvalidNames(_ name: String) {
    var metadata = Metadata()
    #expect(throws: MetadataError.invalidName(name)) { try metadata.add(name, "v") }
  }

  @Test(
    arguments: [
      "grpc-status", "grpc-anything", "te", "content-type", "connection", "host", "transfer-encoding", "user-agent",
    ])
  func refusesReservedNames(_ name: String) {
    var metadata = Metadata()
    #expect(throws: MetadataError.reservedName(name)) { try metadata.add(name.uppercased(), "v") }
  }

  @Test(arguments: ["ä", "a\r\nb: c", "\u{7f}", "\0"])
  func refusesInvalidValues(_ value: String) {
    var metadata = Metadata()
    #expect(throws: MetadataError.invalidValue(name: "x")) { try metadata.add("x", value) }
  }

  @Test(arguments: [("  a b ", "a b"), (" ", ""), ("", ""), ("a", "a"), (" a", "a"), ("a ", "a")])
  func dropsSpacesAroundAValue(_ value: String, _ kept: String) throws {
    var metadata = Metadata()
    try metadata.add("x", value)
    #expect(metadata["x"] == kept)
  }

  @Test func keepsTextAndBytesApart() {
    var metadata = Metadata()
    #expect(throws: MetadataError.binaryName("x-bin")) { try metadata.add("x-bin", "text") }
    #expect(throws: MetadataError.textName("x")) { try metadata.add("x", binary: [1]) }
  }

  @Test func iteratesOverUsersFieldsOnly() {
    let metadata = Metadata(received: ["te": "trailers", "x": "1", "grpc-timeout": "1S", "content-type": "c"])
    #expect(metadata.map { $0.name } == ["x"])
  }
}
