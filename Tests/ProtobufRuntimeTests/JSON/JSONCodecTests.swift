import ProtobufRuntime
import Testing

@Suite struct JSONCodecTests {
  let codec: JSONCodec

  init() throws {
    codec = JSONCodec(try Protoc.pool(of: "everything.proto", "classic.proto"))
  }

  private func wire(_ json: String, options: JSONReadOptions = .init()) throws -> [UInt8] {
    try codec.wire(fromJSON: Array(json.utf8), type: "everything.v1.Everything", options: options)
  }

  private func json(
    _ wire: [UInt8], type: String = "everything.v1.Everything", options: JSONWriteOptions = .init()
  ) throws -> String {
    String(decoding: try codec.json(fromWire: wire, type: type, options: options), as: UTF8.self)
  }

  private func error(_ json: String) -> JSONError? {
    do {
      _ = try wire(json)
      return nil
    } catch {
      return error as? JSONError
    }
  }

  // MARK: Errors

  @Test func namesThePathAndThePositionOfAnError() {
    let failure = error(#"{"children":[{},{"childrenByInt32":{"7":{"anInt32":"x"}}}]}"#)
    #expect(failure?.path == "children[1].childrenByInt32.7.anInt32")
    #expect(failure?.offset == 51)
    #expect(failure?.reason == .value("a number is expected"))
    #expect(
      failure?.description == "children[1].childrenByInt32.7.anInt32: a number is expected (at octet 51)")
  }

  @Test func namesUnknownFieldsAndTypes() {
    #expect(error(#"{"child":{"nope":1}}"#)?.reason == .unknownField("nope"))
    #expect(error(#"{"any":{"@type":"x/no.Such"}}"#)?.reason == .unknownType("no.Such"))
    #expect(throws: JSONError(reason: .unknownType("no.Such"), path: "")) {
      try codec.json(fromWire: [], type: "no.Such")
    }
  }

  @Test(arguments: [
    (#"{"aString":"x"}"#, 3), (#"{"anInt32":1,"child":{"aBool":true}}"#, 7), (#"{"int32s":[1,2]}"#, 5),
    (#"{"structure":{"a":[null,{}]}}"#, 7), (#"{"unknown":[{"a":"b"},false]}"#, 7),
    // Looked through in search of its type, and then read.
    (#"{"any":{"aBool":true,"@type":"x/everything.v1.Everything"}}"#, 12),
    (#"{"any":{"@type":"x/everything.v1.Everything","aBool":true}}"#, 10),
    (#"{"fieldMask":"a,b.cD,e"}"#, 6),
  ])
  func countsValuesAndKeys(_ json: String, count: Int) throws {
    var options = JSONReadOptions()
    options.ignoresUnknownFields = true
    for (limit, isEnough) in [(count, true), (count - 1, false)] {
      let codec = JSONCodec(codec.pool, valueLimit: limit)
      let read = { () throws(JSONError) in
        try codec.wire(fromJSON: Array(json.utf8), type: "everything.v1.Everything", options: options)
      }
      if isEnough {
        #expect(try read() == wire(json, options: options))
      } else {
        #expect { try read() } throws: { ($0 as? JSONError)?.reason == .tooMany }
      }
    }
  }

  @Test func readsEscapes() throws {
    for (json, text) in [
      (#"\"\\/\/\b\f\n\r\t"#, "\"\\//\u{8}\u{c}\n\r\t"), (#"a\u00e9b\u20ACc\ud83d\uDE00d"#, "aéb€c😀d"),
      (#"é\n"#, "é\n"),
    ] {
      #expect(try wire(#"{"aString":"\#(json)"}"#) == [0x72, UInt8(text.utf8.count)] + text.utf8)
    }
    for wrong in [#"\u00g0"#, #"\u00@0"#, #"\u00:0"#, #"\u00"#, #"\x"#, "\u{1f}", #"\"#] {
      #expect(error(#"{"aString":"\#(wrong)"}"#) != nil)
    }
  }

  @Test func refusesLoneSurrogatesAndBrokenUTF8() {
    #expect(error(#"{"aString":"\ud83d"}"#) != nil)
    #expect(error(#"{"aString":"\ud83dx"}"#) != nil)
    #expect(error(#"{"aString":"\ude00"}"#) != nil)
    #expect(error(#"{"aString":"\ud83d\ud83d"}"#) != nil)
    #expect(throws: JSONError.self) {
      try codec.wire(
        fromJSON: Array(#"{"aString":""#.utf8) + [0xff] + Array("\"}".utf8), type: "everything.v1.Everything")
    }
    #expect(throws: JSONError.self) { try json([0x72, 1, 0xff]) }
  }

  @Test func refusesMalformedWire() {
    for bytes: [UInt8] in [[0x72, 5, 1], [0x08], [0x00], [0xff], [0x0f], [0x0c], [0x0b]] {
      #expect(throws: JSONError.self, "\(bytes)") { try json(bytes) }
    }
  }

  @Test func boundsTheDepthOfEitherForm() throws {
    let deep = { (levels: Int) in
      String(repeating: #"{"child":"#, count: levels) + "{}" + String(repeating: "}", count: levels)
    }
    let fits = try wire(deep(99))
    #expect(try json(fits) == deep(99))
    #expect(error(deep(100))?.reason == .tooDeep)
    #expect(error(#"{"value":"# + String(repeating: "[", count: 5000))?.reason == .tooDeep)
    #expect(error(#"{"any":{"x":"# + String(repeating: "[", count: 5000))?.reason == .tooDeep)
    var nested: [UInt8] = []
    for _ in 0..<5000 {
      var writer = WireWriter()
      writer.tag(17, .lengthDelimited)
      writer.lengthDelimited(nested)
      nested = writer.bytes
    }
    #expect(throws: JSONError.self) { try json(nested) }
  }

  @Test func boundsTheSearchForTheTypesOfAnys() throws {
    let nested = { (levels: Int) in
      let host = String(repeating: "x", count: DecodeLimits.jsonShort)
      let type = #""@type":"\#(host)/everything.v1.Everything""#
      return String(repeating: #"{"any":"#, count: levels) + "{\(type)}"
        + String(repeating: ",\(type)}", count: levels - 1) + "}"
    }
    // Each is looked through once for itself and once for each around it.
    #expect(error(nested(DecodeLimits.jsonLookingAhead + 1)) == nil)
    #expect(error(nested(DecodeLimits.jsonLookingAhead + 2))?.reason == .tooCostly)
  }

  @Test func readsTheTypeOfAnAnyOnce() {
    for content in [#""aBool":true"#, #""value":"3s""#] {
      let type = content.contains("value") ? "google.protobuf.Duration" : "everything.v1.Everything"
      let once = #""@type":"x/\#(type)""#
      #expect(error("{\"any\":{\(once),\(content)}}") == nil)
      #expect(error("{\"any\":{\(once),\(content),\(once)}}")?.reason == .value("@type is given twice"))
    }
  }

  // MARK: What a text may cost

  @Test func boundsTheLengthOfNumbers() {
    let zeros = { String(repeating: "0", count: DecodeLimits.jsonNumber - $0) }
    for number in ["\"aDouble\":0.", "\"aDouble\":\"1.", "\"anInt64\":1.", "\"anInt64\":\"1."] {
      let end = number.hasSuffix("\"1.") ? "\"}" : "}"
      #expect(error("{\(number)\(zeros(2))\(end)") == nil, "\(number)")
      #expect(error("{\(number)\(zeros(1))\(end)") != nil, "\(number)")
    }
    #expect(error("{\"aDouble\":1.\(zeros(1))}")?.reason == .syntax("a number is too long"))
  }

  @Test func boundsHowOftenATextIsCopied() {
    let nested = { (levels: Int) in
      let text = String(repeating: "x", count: 2 * DecodeLimits.jsonShort)
      return String(repeating: #"{"child":"#, count: levels - 1) + #"{"aString":"\#(text)"}"#
        + String(repeating: "}", count: levels - 1)
    }
    #expect(error(nested(DecodeLimits.jsonCopies)) == nil)
    #expect(error(nested(DecodeLimits.jsonCopies + 1))?.reason == .tooCostly)
    // The values of a Struct are messages in messages too.
    let lists = { (levels: Int) in
      let text = String(repeating: "x", count: 2 * DecodeLimits.jsonShort)
      return #"{"value":"# + String(repeating: "[", count: levels) + #""\#(text)""#
        + String(repeating: "]", count: levels) + "}"
    }
    #expect(error(lists(DecodeLimits.jsonCopies / 2)) == nil)
    #expect(error(lists(DecodeLimits.jsonCopies + 1))?.reason == .tooCostly)
  }

  @Test func takesManyShortValues() throws {
    let list = { (count: Int) in #"{"value":["# + String(repeating: "1,", count: count - 1) + "1]}" }
    #expect(try wire(list(2)).count - wire(list(1)).count <= DecodeLimits.jsonValue)
    #expect(error(list(20_000)) == nil)
  }

  // MARK: Wire forms that other writers make

  @Test func takesTheLastOfAScalarAndMergesMessages() throws {
    #expect(try json([0x18, 1, 0x18, 2]) == #"{"anInt32":2}"#)
    // child { an_int32: 1 } and child { a_bool: true }
    #expect(
      try json([0x8a, 1, 2, 0x18, 1, 0x8a, 1, 2, 0x68, 1]) == #"{"child":{"anInt32":1,"aBool":true}}"#)
    // chosen_child { an_int32: 1 }, chosen_string: "x", chosen_child { a_bool: true }: only the last is left.
    #expect(
      try json([0xaa, 3, 2, 0x18, 1, 0xa2, 3, 1, 0x78, 0xaa, 3, 2, 0x68, 1]) == #"{"chosenChild":{"aBool":true}}"#)
  }

  @Test func takesTheLastMemberOfAOneof() throws {
    let wire = try wire(#"{"chosenString":"x"}"#) + wire(#"{"chosenInt64":"5"}"#)
    #expect(try json(wire) == #"{"chosenInt64":"5"}"#)
  }

  @Test func readsPackedAndSingleItemsAlike() throws {
    // int32s: 1 unpacked, [2, 3] packed; sint64s are declared unpacked.
    #expect(try json([0xb8, 1, 1, 0xba, 1, 2, 2, 3]) == #"{"int32s":[1,2,3]}"#)
    #expect(try json([0xca, 1, 2, 1, 2]) == #"{"sint64s":["-1","1"]}"#)
    #expect(try wire(#"{"sint64s":[-1,1]}"#) == [0xc8, 1, 1, 0xc8, 1, 2])
    #expect(try wire(#"{"int32s":[1,2]}"#) == [0xba, 1, 2, 1, 2])
  }

  @Test func passesOverUnknownFields() throws {
    // 1000: a varint, then a group with a nested value; an_int32 with the wire type of a string.
    #expect(try json([0xc0, 0x3e, 1, 0xc3, 0x3e, 0x08, 1, 0xc4, 0x3e, 0x1a, 1, 0x41, 0x68, 1]) == #"{"aBool":true}"#)
  }

  @Test func takesTheLastEntryOfAMapKey() throws {
    let wire = try wire(#"{"stringsByString":{"a":"1","b":"2"}}"#) + wire(#"{"stringsByString":{"a":"3"}}"#)
    #expect(try json(wire) == #"{"stringsByString":{"a":"3","b":"2"}}"#)
  }

  // MARK: Options

  @Test func writesZeroValuesWhenAsked() throws {
    var options = JSONWriteOptions()
    options.writesZeroValues = true
    let text = try json([], options: options)
    #expect(text.hasPrefix(#"{"aDouble":0,"aFloat":0,"anInt32":0,"anInt64":"0","#))
    #expect(text.contains(#""aColor":"COLOR_UNSPECIFIED""#) && text.contains(#""int32s":[]"#))
    #expect(!text.contains("maybe") && !text.contains("chosen") && !text.contains("child\""))
  }

  @Test func writesProtoNamesAndEnumNumbersWhenAsked() throws {
    var options = JSONWriteOptions()
    options.usesProtoNames = true
    options.writesEnumsAsNumbers = true
    #expect(try json(wire(#"{"aColor":1,"@other":"x"}"#), options: options) == #"{"a_color":1,"renamed":"x"}"#)
  }

  @Test func indentsWhenAsked() throws {
    var options = JSONWriteOptions()
    options.isPretty = true
    let text = try json(wire(#"{"aBool":true,"int32s":[1,2],"child":{},"structure":{"a":[]}}"#), options: options)
    #expect(
      text == """
        {
          "aBool": true,
          "child": {},
          "int32s": [
            1,
            2
          ],
          "structure": {
            "a": []
          }
        }
        """)
  }

  @Test func passesOverUnknownNamesWhenAsked() throws {
    var options = JSONReadOptions()
    options.ignoresUnknownFields = true
    let text =
      #"{"nope":{"a":[1,{}]},"aColor":"NO","colors":["NO","COLOR_RED"],"colorsByUint64":{"1":"NO"},"aBool":true}"#
    #expect(try json(wire(text, options: options)) == #"{"aBool":true,"colors":["COLOR_RED"]}"#)
  }

  // MARK: Numbers

  @Test(arguments: [
    0.1, 1e23, Double.leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0, 9_007_199_254_740_992, 123456.789,
  ])
  func roundTripsDoubles(_ value: Double) throws {
    var writer = WireWriter()
    writer.tag(1, .fixed64)
    writer.fixed64(value.bitPattern)
    #expect(try wire(json(writer.bytes)) == writer.bytes)
  }

  @Test(arguments: [Float(0.1), .leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0, 16_777_216])
  func roundTripsFloats(_ value: Float) throws {
    var writer = WireWriter()
    writer.tag(2, .fixed32)
    writer.fixed32(value.bitPattern)
    #expect(try wire(json(writer.bytes)) == writer.bytes)
  }

  @Test(arguments: [
    ("1e999999999999999999999", false), ("1e-999999999999999999999", false), ("0e999999999999999999999", true),
    ("100e-2", true), ("1e-1", false), ("0.0000000001e10", true), ("-9223372036854775809", false),
    ("9223372036854775807", true), ("9223372036854775807.0", true), ("-0", true),
    ("123456789012345678901234567890123456789012345678901234567890", false),
  ])
  func judgesIntegersExactly(_ text: String, isInteger: Bool) {
    #expect((error(#"{"anInt64":\#(text)}"#) == nil) == isInteger)
    #expect((error(#"{"anInt64":"\#(text)"}"#) == nil) == isInteger)
  }

  // MARK: proto2

  @Test func knowsExtensionsAndClosedEnums() throws {
    let old = "classic.Old"
    let wire = try codec.wire(fromJSON: Array(#"{"name":"n","[classic.mood]":"BAD"}"#.utf8), type: old)
    #expect(try json(wire, type: old) == #"{"name":"n","[classic.mood]":"BAD"}"#)
    // mood: 9, which the closed enum does not have
    #expect(try json([0xa0, 6, 9], type: old) == "{}")
    #expect(throws: JSONError.self) { try codec.wire(fromJSON: Array(#"{"[classic.mood]":9}"#.utf8), type: old) }
  }

  @Test func hidesNothingThatATerminalWouldObey() throws {
    #expect(try json(wire("{\"aString\":\"\u{9b}2J\u{7f}\"}")) == #"{"aString":"\u009b2J\u007f"}"#)
  }
}
