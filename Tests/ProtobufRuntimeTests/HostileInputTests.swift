import ProtobufRuntime
import RoundTripAPI
import Testing
import WellKnownTypes

@Suite struct HostileInputTests {
  /// A tree that leans to the left, `depth` messages deep, the root included.
  private static func tree(depth: Int) -> [UInt8] {
    // From the inside out: each level is the tag of `left`, a length, and what is inside. Built backwards.
    var reversed: [UInt8] = []
    for _ in 1..<depth {
      var length = reversed.count
      var digits: [UInt8] = []
      repeat {
        digits.append(UInt8(length & 0x7f) | (length > 0x7f ? 0x80 : 0))
        length >>= 7
      } while length > 0
      reversed += digits.reversed()
      reversed.append(0x12)
    }
    return reversed.reversed()
  }

  @Test func `ten thousand levels are refused`() {
    #expect(throws: DecodeError.tooDeep) { try Tree(decoding: Self.tree(depth: 10_000)) }
  }

  @Test func `the depth limit counts the root`() throws {
    let limits = DecodeLimits(depth: 10)
    #expect(try Tree(decoding: Self.tree(depth: 10), limits: limits).left != nil)
    #expect(throws: DecodeError.tooDeep) { try Tree(decoding: Self.tree(depth: 11), limits: limits) }
  }

  @Test func `depth counts through lists, maps and oneofs`() throws {
    var list = Tree()
    var maps = Maps()
    var oneofs = Oneofs()
    for _ in 1..<20 {
      var outer = Tree()
      outer.others = [list]
      list = outer
      var outerMaps = Maps()
      outerMaps.byString = ["": maps]
      maps = outerMaps
      var outerOneofs = Oneofs()
      outerOneofs.choice = .selfAgain(oneofs)
      oneofs = outerOneofs
    }
    #expect(try Tree(decoding: list.encoded(), limits: DecodeLimits(depth: 20)) == list)
    #expect(throws: DecodeError.tooDeep) { try Tree(decoding: list.encoded(), limits: DecodeLimits(depth: 19)) }
    // Each entry of a map is a message of its own.
    #expect(try Maps(decoding: maps.encoded(), limits: DecodeLimits(depth: 39)) == maps)
    #expect(throws: DecodeError.tooDeep) { try Maps(decoding: maps.encoded(), limits: DecodeLimits(depth: 38)) }
    #expect(throws: DecodeError.tooDeep) { try Oneofs(decoding: oneofs.encoded(), limits: DecodeLimits(depth: 19)) }
  }

  @Test(
    arguments: [
      [0xff], [0x61, 0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0xc3],
    ] as [[UInt8]])
  func `invalid UTF-8 is refused, naming the field`(text: [UInt8]) {
    #expect(throws: DecodeError.invalidUTF8(field: "roundtrip.v1.Scalars.a_string")) {
      try Scalars(decoding: [0x72, UInt8(text.count)] + text)
    }
    #expect(throws: DecodeError.invalidUTF8(field: "roundtrip.v1.RepeatedScalars.a_string")) {
      try RepeatedScalars(decoding: [0x72, 0, 0x72, UInt8(text.count)] + text)
    }
  }

  @Test func `empty map entries cannot take more memory than the budget`() {
    let entries = [UInt8](repeating: 0, count: 100_000).flatMap { [0x62, $0] as [UInt8] }
    #expect(throws: DecodeError.overBudget) {
      try Maps(decoding: entries, limits: DecodeLimits(memory: 8 << 20, elements: .max))
    }
  }

  @Test func `the Swift copies of empty messages count as well`() throws {
    let items = [UInt8](repeating: 0, count: 50_000).flatMap { [0x22, $0] as [UInt8] }
    // The C structs alone would fit.
    #expect(throws: DecodeError.overBudget) { try Tree(decoding: items, limits: DecodeLimits(memory: 7 << 20)) }
    #expect(try Tree(decoding: items).others.count == 50_000)
  }

  /// A message of so many elements, each in as few octets as it can have.
  struct ManyElements: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let type: any Message.Type
    let wire: @Sendable (_ count: Int) -> [UInt8]

    init(_ name: String, _ type: any Message.Type, _ wire: @escaping @Sendable (_ count: Int) -> [UInt8]) {
      (testDescription, self.type, self.wire) = (name, type, wire)
    }
  }

  private static func repeated(_ record: [UInt8], _ count: Int) -> [UInt8] {
    (0..<count).flatMap { _ in record }
  }

  static let manyElements = [
    ManyElements("messages of a list", Tree.self) { repeated([0x22, 0], $0) },
    ManyElements("messages in each other", Tree.self) { tree(depth: $0 + 1) },
    ManyElements("texts of a list", RepeatedScalars.self) { repeated([0x72, 0], $0) },
    ManyElements("numbers of a list", RepeatedScalars.self) { repeated([0x18, 1], $0) },
    ManyElements("packed numbers", RepeatedScalars.self) {
      let numbers = DecodeLimits.packedNumbers * ($0 - 1)
      return [0x1a, UInt8(numbers & 0x7f | 0x80), UInt8(numbers >> 7)] + repeated([1], numbers)
    },
    ManyElements("packed numbers of eight octets", RepeatedScalars.self) {
      let octets = 8 * DecodeLimits.packedNumbers * ($0 - 1)
      return [0x12, UInt8(octets & 0x7f | 0x80), UInt8(octets >> 7)] + repeated([0], octets)
    },
    ManyElements("entries of a map", Maps.self) { repeated([0x62, 0], $0) },
    ManyElements("unknown fields", Scalars.self) { repeated([0xc0, 0x3e, 1], $0) },
    ManyElements("values that replace others", Scalars.self) { repeated([0x18, 1], $0 + 1) },
    ManyElements("the same beside an unknown field", Scalars.self) { [0xc0, 0x3e, 1] + repeated([0x18, 1], $0) },
  ]

  @Test(arguments: manyElements)
  func `a message has so many elements and no more`(_ message: ManyElements) throws {
    let limits = DecodeLimits(elements: 20)
    func decode(_ count: Int) throws { _ = try message.type.init(decoding: message.wire(count), limits: limits) }
    try decode(20)
    #expect(throws: DecodeError.tooMany) { try decode(21) }
  }

  @Test func `by default so many messages pass`() throws {
    let most = DecodeLimits.default.elements
    #expect(try Tree(decoding: Self.repeated([0x22, 0], most)).others.count == most)
    #expect(throws: DecodeError.tooMany) { try Tree(decoding: Self.repeated([0x22, 0], most + 1)) }
  }

  @Test func `elements that must be joined count several times`() throws {
    let limits = DecodeLimits(elements: 10 * DecodeLimits.joinedElementPrice)
    #expect(try Tree(decoding: Self.repeated([0x12, 0], 10), limits: limits).left == Tree())
    #expect(throws: DecodeError.tooMany) { try Tree(decoding: Self.repeated([0x12, 0], 11), limits: limits) }
  }

  @Test func `parts that must be merged count against the budget`() throws {
    var tree = Tree()
    tree.value = String(repeating: "x", count: 10_000)
    var part = Tree()
    part.left = tree
    let parts = [[UInt8]](repeating: part.encoded(), count: 10).flatMap { $0 }
    #expect(try Tree(decoding: parts).left == tree)
    #expect(throws: DecodeError.overBudget) { try Tree(decoding: parts, limits: DecodeLimits(memory: 50_000)) }
  }

  @Test func `a message cut off anywhere is refused, or a shorter message`() throws {
    var message = Maps()
    message.byInt32 = [1: 2]
    message.bySint32 = [-1: "text"]
    var inner = Scalars()
    inner.aDouble = 1.5
    inner.someBytes = [1, 2, 3]
    message.byFixed64 = [7: inner]
    message.byString = ["nested": message]
    let whole = message.encoded()
    #expect(whole.count > 50)
    for count in 0..<whole.count {
      let cut = try? Maps(decoding: Array(whole[..<count]))
      #expect(cut != message)
    }
  }

  @Test(
    arguments: [
      [0x00], [0x07], [0x0b], [0x0c], [0x08], [0x18, 0x80], [0x0d, 1, 2, 3], [0x11, 1], [0x72, 5, 1],
      [0x72, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x72, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x6a, 1, 1],
      [0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1], [0x80, 0x80, 0x80, 0x80, 0x80, 1],
      [0xff, 0xff, 0xff, 0xff, 0x7f, 1],
    ] as [[UInt8]])
  func `malformed bytes are refused`(bytes: [UInt8]) {
    #expect(throws: DecodeError.malformed) { try Scalars(decoding: bytes) }
  }

  @Test func `after a refusal the next message decodes`() throws {
    for _ in 0..<100 {
      _ = try? Tree(decoding: Self.tree(depth: 200))
      _ = try? Scalars(decoding: [0x72, 1, 0xff])
      _ = try? Maps(decoding: [0x62, 0, 0x62, 0], limits: DecodeLimits(memory: 100))
    }
    var message = Scalars()
    message.aString = "fine"
    #expect(try Scalars(decoding: message.encoded()) == message)
  }

  @Test func `threads do not share memory`() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<8 {
        group.addTask {
          for round in 0..<200 {
            var tree = Tree()
            tree.value = String(repeating: "\(number)", count: round)
            tree.others = (0..<10).map { item in
              var other = Tree()
              other.value = "\(item)"
              return other
            }
            let decoded = try Tree(decoding: tree.encoded())
            #expect(decoded == tree)
          }
        }
      }
      try await group.waitForAll()
    }
  }
}
