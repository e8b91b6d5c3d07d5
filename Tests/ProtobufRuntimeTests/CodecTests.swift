import ProtobufRuntime
import RoundTripAPI
import Testing
import WellKnownTypes

@Suite struct CodecTests {
  @Test func `an empty message is no bytes`() throws {
    #expect(Scalars().encoded() == [])
    #expect(try Scalars(decoding: []) == Scalars())
  }

  @Test func `the wire form is the one that protobuf defines`() throws {
    var message = Scalars()
    message.anInt32 = 150
    message.aString = "testing"
    message.anSint32 = -2
    #expect(message.encoded() == [0x18, 0x96, 0x01, 0x38, 0x03, 0x72, 0x07] + Array("testing".utf8))
    #expect(try Scalars(decoding: message.encoded()) == message)
  }

  @Test func `headroom comes first and is zero`() {
    var message = Scalars()
    message.aBool = true
    #expect(message.encoded(headroom: 5) == [0, 0, 0, 0, 0, 0x68, 0x01])
    #expect(Scalars().encoded(headroom: 2) == [0, 0])
  }

  @Test func `a NUL inside a string is kept`() throws {
    var message = Scalars()
    message.aString = "a\0b"
    #expect(try Scalars(decoding: message.encoded()).aString == "a\0b")
  }

  @Test func `negative zero and NaN are kept, zero is not written`() throws {
    var message = Scalars()
    message.aDouble = -0.0
    message.aFloat = .nan
    let decoded = try Scalars(decoding: message.encoded())
    #expect(decoded.aDouble.sign == .minus)
    #expect(decoded.aFloat.isNaN)
    message.aDouble = 0
    message.aFloat = 0
    #expect(message.encoded() == [])
  }

  @Test func `optional fields tell zero from absence`() throws {
    var message = OptionalScalars()
    #expect(message.encoded() == [])
    message.anInt32 = 0
    message.aString = ""
    message.aBool = false
    message.aMood = .unspecified
    message.aMessage = Scalars()
    let decoded = try OptionalScalars(decoding: message.encoded())
    #expect(decoded == message)
    #expect(decoded.aDouble == nil)
    #expect(decoded.aString == "")
  }

  @Test func `unknown enum values are kept, also in lists and maps`() throws {
    var message = RepeatedScalars()
    message.aMood = [.good, .unrecognized(77), .worst]
    #expect(try RepeatedScalars(decoding: message.encoded()) == message)
    var maps = Maps()
    maps.byFixed32 = [1: .unrecognized(-5)]
    #expect(try Maps(decoding: maps.encoded()) == maps)
    #expect(Mood(rawValue: 1) == .fine)
    #expect(Mood(rawValue: 77).protoName == "77")
  }

  @Test func `unknown fields are kept and come last`() throws {
    var newer = Scalars()
    newer.anInt32 = 7
    newer.aString = "known"
    newer.someBytes = [1, 2, 3]
    newer.aFixed64 = 9
    let older = try OldScalars(decoding: newer.encoded())
    #expect(older.aString == "known")
    #expect(!older.unknownFields.isEmpty)
    #expect(try Scalars(decoding: older.encoded()) == newer)
  }

  @Test func `map entries are sorted, and the last of a key counts`() throws {
    var message = Maps()
    message.byInt32 = [3: 1, -1: 2, 2: 3]
    message.byBool = [true: Nothing(), false: Nothing()]
    let again = try Maps(decoding: message.encoded())
    #expect(again == message)
    #expect(again.encoded() == message.encoded())
    let entries: [UInt8] = [0x0a, 4, 8, 1, 16, 5, 0x0a, 4, 8, 1, 16, 6]
    #expect(try Maps(decoding: entries).byInt32 == [1: 6])
  }

  @Test func `a map entry without key or value has the zero ones`() throws {
    #expect(try Maps(decoding: [0x0a, 0]).byInt32 == [0: 0])
    #expect(try Maps(decoding: [0x42, 0]).byFixed64 == [0: Scalars()])
  }

  @Test func `packed and unpacked numbers are both read`() throws {
    #expect(try RepeatedScalars(decoding: [0x18, 1, 0x18, 2]).anInt32 == [1, 2])
    #expect(try RepeatedScalars(decoding: [0x1a, 2, 1, 2]).anInt32 == [1, 2])
    #expect(try UnpackedScalars(decoding: [0x0a, 2, 1, 2]).anInt32 == [1, 2])
    #expect(try UnpackedScalars(decoding: [0x0a, 2, 1, 2]).encoded() == [0x08, 1, 0x08, 2])
  }

  @Test func `recursive messages are values`() throws {
    var tree = Tree()
    tree.value = "root"
    tree.left = Tree()
    tree.left?.value = "left"
    var copy = tree
    copy.left?.value = "changed"
    #expect(tree.left?.value == "left")
    #expect(try Tree(decoding: copy.encoded()) == copy)
    var oneofs = Oneofs()
    oneofs.choice = .selfAgain(Oneofs())
    #expect(try Oneofs(decoding: oneofs.encoded()) == oneofs)
  }

  @Test func `the last member of a oneof counts`() throws {
    var text = Oneofs()
    text.choice = .text("a")
    var scalars = Oneofs()
    scalars.choice = .scalars(Scalars())
    #expect(try Oneofs(decoding: text.encoded() + scalars.encoded()).choice == .scalars(Scalars()))
    #expect(try Oneofs(decoding: scalars.encoded() + text.encoded()).choice == .text("a"))
  }

  @Test func `parts of a message are merged, oneofs unset in both included`() throws {
    // field 9 (self_again) twice: { between: 1 } and { big: 2 }
    let merged = try Oneofs(decoding: [0x4a, 2, 0x50, 1, 0x4a, 2, 0x58, 2])
    guard case .selfAgain(let inner) = merged.choice else { throw Failure() }
    #expect(inner.between == 1)
    #expect(inner.anotherChoice == .big(2))
    let tree = try Tree(decoding: [0x12, 3, 0x0a, 1, 0x61, 0x12, 2, 0x1a, 0])
    #expect(tree.left?.value == "a")
    #expect(tree.left?.right == Tree())
  }

  @Test func `long bytes are written without being changed`() throws {
    var message = Scalars()
    message.someBytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    message.aString = String(repeating: "é", count: 70_000)
    let encoded = message.encoded(headroom: 5)
    #expect(try Scalars(decoding: Array(encoded.dropFirst(5))) == message)
  }

  struct Failure: Error {}
}
