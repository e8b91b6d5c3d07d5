import Testing

@testable import ProtobufRuntime

/// Limits around decoding, to the last that they allow and one more.
@Suite struct RuntimeLimitTests {
  @Test func `groups may nest so deep`() throws {
    for (depth, isTaken) in [(DecodeLimits.groups, true), (DecodeLimits.groups + 1, false)] {
      var writer = WireWriter()
      for _ in 0..<depth { writer.tag(1, .startGroup) }
      for _ in 0..<depth { writer.tag(1, .endGroup) }
      var reader = WireReader(writer.bytes)
      let tag = try #require(try reader.tag())
      if isTaken {
        try reader.skip(tag)
        #expect(reader.position == writer.bytes.count)
      } else {
        #expect(throws: DecodeError.tooDeep) { try reader.skip(tag) }
      }
    }
  }

  @Test func `messages of a file may nest so deep`() throws {
    /// A file in which a message has a message, and so on.
    func file(_ depth: Int) -> [UInt8] {
      var inner: [UInt8] = []
      for level in (1...depth).reversed() {
        var writer = WireWriter()
        // The field `message_type` of a file, and `nested_type` of a message.
        writer.tag(level == 1 ? 4 : 3, .lengthDelimited)
        writer.lengthDelimited([0x0a, 1, UInt8(ascii: "M")] + inner)
        inner = writer.bytes
      }
      return inner
    }
    let tooDeep = DescriptorError.malformed(file: "", why: "messages nest too deeply")
    #expect(throws: Never.self) { try FileDescriptor(serialized: file(DecodeLimits.descriptors)) }
    #expect(throws: tooDeep) { try FileDescriptor(serialized: file(DecodeLimits.descriptors + 1)) }
  }

  @Test func `configuration may nest so deep`() throws {
    func text(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
    }
    #expect(throws: Never.self) { try JSONValue(parsing: text(DecodeLimits.configuration)) }
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text(DecodeLimits.configuration + 1)) }
    #expect(error?.reason == .tooDeep)
  }

  @Test func `a thread keeps a block of up to keptBlock`() throws {
    /// What a thread's arena has room for after something of this size.
    func kept(_ size: Int) -> Int {
      let first = Arena.acquire(budget: .max)
      _ = first.pointee.allocate(size)
      Arena.release(first)
      let second = Arena.acquire(budget: .max)
      defer { Arena.release(second) }
      return second.pointee.end - second.pointee.next
    }
    let large = kept(DecodeLimits.keptBlock)
    #expect(large == DecodeLimits.keptBlock)
    #expect(kept(DecodeLimits.keptBlock + 8) == large, "a greater one is given back")
  }
}
