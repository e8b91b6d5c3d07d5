import ProtobufRuntime
import RoundTripAPI
import Testing

/// Plain messages are read and written in one pass, others go through protobuf-c. Both must come to the same: an unknown
/// field sends any message the long way. Random messages are compared with another implementation in Tests/roundtrip;
/// these are the edges.
@Suite struct PlainMessageTests {
  /// Field 1000, a varint, which no message has.
  private static let unknown: [UInt8] = [0xc0, 0x3e, 0x01]

  private func expectBothWaysAlike<M: GeneratedMessage>(_ bytes: [UInt8], _ type: M.Type) throws {
    let short = Result { () throws(DecodeError) in try M(decoding: bytes) }
    let long = Result { () throws(DecodeError) in
      var message = try M(decoding: bytes + Self.unknown)
      // Bytes that end in the midst of a value may take the unknown field for a part of it.
      if message.unknownFields.bytes == Self.unknown { message.unknownFields = UnknownFields() }
      return message
    }
    switch (short, long) {
    case (.success(let a), .success(let b)): #expect(a == b)
    case (.failure(let a), .failure(let b)): #expect(a == b)
    case (.success, .failure): Issue.record("only the short way reads \(bytes)")
    // What is cut off may be completed by the unknown field.
    case (.failure(let error), .success): #expect(error == .malformed)
    }
  }

  private static func scalars(_ number: Int64) -> Scalars {
    var message = Scalars()
    message.aFloat = Float(number)
    message.aDouble = Double(number)
    message.anInt32 = Int32(truncatingIfNeeded: number)
    message.anInt64 = number
    message.aUint32 = UInt32(truncatingIfNeeded: number)
    message.aUint64 = UInt64(bitPattern: number)
    message.anSint32 = Int32(truncatingIfNeeded: number)
    message.anSint64 = number
    message.aFixed32 = UInt32(truncatingIfNeeded: number)
    message.aFixed64 = UInt64(bitPattern: number)
    message.anSfixed32 = Int32(truncatingIfNeeded: number)
    message.anSfixed64 = number
    message.aBool = number != 0
    message.aString = "\(number)\u{0}"
    message.someBytes = [0, UInt8(truncatingIfNeeded: number)]
    return message
  }

  @Test(arguments: [0, 1, -1, 127, 128, .max, .min, Int64(Int32.max), Int64(Int32.min), 1 << 40] as [Int64])
  func `every kind of number survives`(_ number: Int64) throws {
    let message = Self.scalars(number)
    #expect(try Scalars(decoding: message.encoded()) == message)
    try expectBothWaysAlike(message.encoded(), Scalars.self)
  }

  @Test func `members of oneofs replace each other whatever their sizes`() throws {
    let members: [Oneofs.Choice] = [
      .number(1.5), .text("a text"), .data([1, 2, 3]), .flag(true), .scalars(Self.scalars(7)), .nothing(Nothing()),
      .text(""), .flag(false), .data([]),
    ]
    for first in members {
      for second in members {
        var one = Oneofs()
        one.choice = first
        one.between = 5
        var other = Oneofs()
        other.choice = second
        other.anotherChoice = .big(-1)
        let bytes = one.encoded() + other.encoded()
        try expectBothWaysAlike(bytes, Oneofs.self)
        let both = try Oneofs(decoding: bytes)
        // Parts of one message are merged, which is no concern of this test.
        if case .scalars = second {} else { #expect(both.choice == second) }
        #expect(both.between == 5)
        #expect(both.anotherChoice == .big(-1))
      }
    }
  }

  @Test func `numbers that are longer than they need be, or than their type, are cut alike`() throws {
    for tag in [0x18, 0x20, 0x28, 0x30, 0x38, 0x40, 0x68] as [UInt8] {  // varints of all types
      for tail in [0x00, 0x01, 0x02, 0x7f] as [UInt8] {
        for length in 0..<10 {
          try expectBothWaysAlike([tag] + Array(repeating: 0x80, count: length) + [tail], Scalars.self)
          try expectBothWaysAlike([tag] + Array(repeating: 0xff, count: length) + [tail], Scalars.self)
        }
      }
    }
  }

  @Test func `what is cut off anywhere is refused alike`() throws {
    var message = Oneofs()
    message.choice = .scalars(Self.scalars(-3))
    message.anotherChoice = .big(1 << 50)
    let bytes = message.encoded()
    for end in 0...bytes.count { try expectBothWaysAlike(Array(bytes[..<end]), Oneofs.self) }
  }

  @Test func `a message field that comes in parts is merged`() throws {
    var first = Oneofs()
    first.choice = .scalars(Self.scalars(1))
    var second = Oneofs()
    var scalars = Scalars()
    scalars.anInt32 = 9
    second.choice = .scalars(scalars)
    let both = try Oneofs(decoding: first.encoded() + second.encoded())
    var expected = Self.scalars(1)
    expected.anInt32 = 9
    #expect(both.choice == .scalars(expected))
  }

  @Test func `values are copies of the bytes they came from`() throws {
    var bytes = Self.scalars(5).encoded()
    let message = try Scalars(decoding: bytes)
    for index in bytes.indices { bytes[index] = 0xff }
    #expect(message == Self.scalars(5))
  }

  /// Unknown fields send a message the long way out as well; they come last.
  private func expectBothWaysWriteAlike<M: GeneratedMessage>(_ message: M) throws {
    var withUnknown = message
    withUnknown.unknownFields = try Nothing(decoding: Self.unknown).unknownFields
    #expect(withUnknown.encoded() == message.encoded() + Self.unknown)
    #expect(message.encoded(headroom: 5) == [0, 0, 0, 0, 0] + message.encoded())
  }

  @Test(arguments: [0, 1, -1, 127, 128, .max, .min, Int64(Int32.max), Int64(Int32.min), 1 << 40] as [Int64])
  func `every kind of number is written alike`(_ number: Int64) throws {
    try expectBothWaysWriteAlike(Self.scalars(number))
    var optional = OptionalScalars()
    optional.anInt32 = 0
    optional.aString = ""
    optional.aDouble = 0
    optional.aBool = false
    optional.aMessage = Self.scalars(number)
    try expectBothWaysWriteAlike(optional)
  }

  @Test func `members of oneofs are written even if they are zero`() throws {
    for member in [.number(0), .text(""), .data([]), .flag(false), .scalars(Scalars()), .nothing(Nothing())]
      as [Oneofs.Choice]
    {
      var message = Oneofs()
      message.choice = member
      try expectBothWaysWriteAlike(message)
      #expect(try Oneofs(decoding: message.encoded()) == message)
    }
  }

  @Test func `lengths of every size are written alike, around the longest short message too`() throws {
    for length in Array(0...300) + Array(1000...1050) + [16_383, 16_384] {
      var scalars = Scalars()
      scalars.someBytes = Array(repeating: 7, count: length)
      try expectBothWaysWriteAlike(scalars)
      var nested = Oneofs()
      nested.choice = .scalars(scalars)
      nested.between = 1
      var twice = Oneofs()
      twice.choice = .selfAgain(nested)
      try expectBothWaysWriteAlike(twice)
      #expect(try Oneofs(decoding: twice.encoded()) == twice)
    }
  }
}
