import ProtobufRuntime
import Testing

@Suite struct DescriptorPoolTests {
  @Test func namesEverythingInASet() throws {
    let pool = try Protoc.pool(of: "shapes.proto")
    let file = try #require(pool.file(named: "shapes.proto"))
    #expect(file.package == "shapes.v1")
    #expect(file.syntax == "proto3")
    #expect(file.imports == ["google/protobuf/timestamp.proto", "octet/options/v1/options.proto"])
    #expect(file.messages.map(\.fullName) == ["shapes.v1.Shape"])
    #expect(pool.message("shapes.v1.Shape.Part")?.name == "Part")
    #expect(pool.message("shapes.v1.Shape.Part")?.file == "shapes.proto")
    #expect(pool.enum("shapes.v1.Shape.Part.Kind") != nil)
    #expect(pool.service("shapes.v1.DrawService") != nil)
    #expect(pool.message("shapes.v1.Stage") == nil)
    guard case .method(let method, let service)? = pool.symbol("shapes.v1.DrawService.Draw")?.symbol else {
      Issue.record("the method is not found")
      return
    }
    #expect(method.name == "Draw" && service.name == "DrawService")
  }

  @Test func putsImportsBeforeTheirUsers() throws {
    let files = try DescriptorPool.files(inSet: Protoc.descriptorSet(of: "shapes.proto"))
    var pool = DescriptorPool()
    try pool.add(serializedFiles: files.reversed())
    for (index, file) in pool.files.enumerated() {
      for name in file.imports { #expect(pool.files[..<index].contains { $0.name == name }) }
    }
  }

  @Test func keepsTheBytesOfEachFile() throws {
    let files = try DescriptorPool.files(inSet: Protoc.descriptorSet(of: "shapes.proto"))
    var pool = DescriptorPool()
    try pool.add(serializedFiles: files)
    #expect(pool.files.map(\.serialized) == files)
  }

  @Test func saysWhichImportsAreMissing() throws {
    let alone = try DescriptorPool.files(inSet: Protoc.descriptorSet(of: "shapes.proto", alone: true))
    var pool = DescriptorPool()
    #expect(
      throws: DescriptorError.missingImports(
        file: "shapes.proto", imports: ["google/protobuf/timestamp.proto", "octet/options/v1/options.proto"])
    ) { try pool.add(serializedFiles: alone) }
    #expect(pool.files.isEmpty)
    try pool.merge(Protoc.pool(of: "octet/options/v1/options.proto", "google/protobuf/timestamp.proto"))
    try pool.add(serializedFiles: alone)
    #expect(pool.message("shapes.v1.Shape") != nil)
  }

  @Test func passesOverAFileThatItHas() throws {
    var pool = try Protoc.pool(of: "shapes.proto")
    let count = pool.files.count
    try pool.merge(Protoc.pool(of: "shapes.proto", "classic.proto"))
    #expect(pool.files.count == count + 1)
  }

  @Test func refusesASymbolTwice() throws {
    // The second file differs from the first in its name only (field 1 of FileDescriptorProto).
    let file = try Protoc.descriptorSet(of: "classic.proto").dropFirst(0)
    let first = try #require(try DescriptorPool.files(inSet: Array(file)).first)
    let second = [0x0a, 7] + Array("b.proto".utf8) + first.dropFirst(2 + "classic.proto".utf8.count)
    var pool = DescriptorPool()
    #expect(
      throws: DescriptorError.duplicateSymbol(symbol: "classic.Old", files: ["classic.proto", "b.proto"])
    ) { try pool.add(serializedFiles: [first, second]) }
  }

  @Test func refusesMalformedAndTooDeepFiles() throws {
    #expect(throws: DescriptorError.self) { try FileDescriptor(serialized: [0xff]) }
    #expect(throws: DescriptorError.self) { try DescriptorPool.files(inSet: [0x0a, 5, 1]) }
    var nested: [UInt8] = []
    for level in 0..<10_000 {
      var writer = WireWriter()
      writer.tag(level == 9_999 ? 4 : 3, .lengthDelimited)
      writer.lengthDelimited(nested)
      nested = writer.bytes
    }
    #expect(throws: DescriptorError.malformed(file: "", why: "messages nest too deeply")) {
      try FileDescriptor(serialized: nested)
    }
  }

  @Test func refusesAReferenceThatLeadsNowhere() throws {
    var field = WireWriter()  // name "f", number 1, optional, message ".x.Y"
    field.raw([0x0a, 1, UInt8(ascii: "f"), 0x18, 1, 0x20, 1, 0x28, 11, 0x32, 4] + Array(".x.Y".utf8))
    var message = WireWriter()
    message.raw([0x0a, 1, UInt8(ascii: "M"), 0x12])
    message.lengthDelimited(field.bytes)
    var file = WireWriter()
    file.raw([0x0a, 1, UInt8(ascii: "a"), 0x22])
    file.lengthDelimited(message.bytes)
    var pool = DescriptorPool()
    #expect(throws: DescriptorError.unknownType(symbol: "x.Y", file: "a")) {
      try pool.add(serializedFiles: [file.bytes])
    }
  }

  @Test func knowsExtensions() throws {
    let pool = try Protoc.pool(of: "classic.proto")
    #expect(pool.extensions(of: "classic.Old").map(\.fullName) == ["classic.mood"])
    #expect(pool.extensions(of: "classic.Old").first?.extendee == "classic.Old")
  }
}
