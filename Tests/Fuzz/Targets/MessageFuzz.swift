import BenchAPI
import OctetTypes
import ProtobufRuntime
import RoundTripAPI
import WellKnownTypes

/// The protobuf wrapper.
enum ProtobufFuzz {
  private static let checks: [@Sendable ([UInt8]) throws -> Void] = [
    { try check(Maps.self, $0) }, { try check(Oneofs.self, $0) }, { try check(Tree.self, $0) },
    { try check(WellKnown.self, $0) }, { try check(Scalars.self, $0) }, { try check(OptionalScalars.self, $0) },
    { try check(RepeatedScalars.self, $0) }, { try check(UnpackedScalars.self, $0) },
    { try check(RuledRequest.self, $0) }, { try check(EchoRequest.self, $0) },
  ]

  /// The first octet chooses the type. What is read is written and read again as the same message, of the same length
  /// from then on, and can be validated and described.
  static func run(_ input: [UInt8]) throws {
    guard let choice = input.first else { return }
    try checks[Int(choice) % checks.count](Array(input.dropFirst()))
  }

  private static let limits = DecodeLimits(depth: 50, memory: 1 << 20)

  private static func check<M: GeneratedMessage>(_: M.Type, _ input: [UInt8]) throws {
    guard let message = try? M(decoding: input, limits: limits) else { return }
    let written = message.encoded()
    // Written anew, a message may take more memory than its octets did, as fields that were split are joined.
    guard let again = try? M(decoding: written, limits: DecodeLimits(depth: 50)) else {
      throw FuzzFailure(description: "\(M.fullName) is written so that it cannot be read")
    }
    // A message with a NaN is equal to none, but arrays are equal to themselves: so it is read twice.
    if message == (try? M(decoding: input, limits: limits)) {
      try require(message == again, "another message comes back: \(message) and \(again)")
    }
    try require(again.encoded().count == written.count, "\(M.fullName) changes its length")
    try require(message.encoded(headroom: 5).dropFirst(5).elementsEqual(written), "headroom changes the message")
    try requireLongWayAlike(message, input)
    _ = message.violations()
    _ = message.debugDescription
  }

  /// Field 1000, a varint, which no message has. It sends a message through protobuf-c that is read in one pass without.
  private static let unknown: [UInt8] = [0xc0, 0x3e, 0x01]

  /// Both ways to read a message come to the same.
  private static func requireLongWayAlike<M: GeneratedMessage>(_ message: M, _ input: [UInt8]) throws {
    guard var long = try? M(decoding: input + unknown, limits: DecodeLimits(depth: 50)) else {
      throw FuzzFailure(description: "only the short way reads \(message)")
    }
    try require(long.unknownFields.bytes == message.unknownFields.bytes + unknown, "an unknown field is lost")
    long.unknownFields = message.unknownFields
    // Compared in wire form, as a NaN is equal to none.
    try require(long.encoded() == message.encoded(), "the long way reads \(long), the short one \(message)")
  }
}

/// The JSON codec.
enum JSONFuzz {
  // The descriptors are our own: that they can be read is not in question here.
  private static let codec = JSONCodec(
    try! DescriptorPool(serializedFileDescriptorSets: [
      WellKnownTypesDescriptors.serializedFileDescriptorSet, OctetTypesDescriptors.serializedFileDescriptorSet,
      RoundTripAPIDescriptors.serializedFileDescriptorSet,
    ]), depthLimit: 50)
  private static let types = [
    "Maps", "Oneofs", "Tree", "WellKnown", "Scalars", "OptionalScalars", "RepeatedScalars", "UnpackedScalars",
  ].map { "roundtrip.v1.\($0)" }

  private static func readable(_ text: [UInt8]) -> String { String(decoding: text, as: UTF8.self) }

  /// The first octet chooses the type, and whether the rest is JSON or a message. Either is translated to the other and
  /// back until it must not change any more.
  static func run(_ input: [UInt8]) throws {
    guard let choice = input.first else { return }
    let type = types[Int(choice >> 1) % types.count]
    let rest = Array(input.dropFirst())
    let wire: [UInt8]
    if choice & 1 == 0 {
      guard let read = try? codec.wire(fromJSON: rest, type: type) else { return }
      wire = read
    } else {
      wire = rest
    }
    guard let text = try? codec.json(fromWire: wire, type: type) else {
      try require(choice & 1 == 1, "what was read from JSON cannot be written")
      return
    }
    do {
      let again = try codec.json(fromWire: codec.wire(fromJSON: text, type: type), type: type)
      try require(again == text, "\(readable(text)) became \(readable(again))")
    } catch let error as JSONError {
      throw FuzzFailure(description: "\(readable(text)) is written, but not read: \(error)")
    }
  }
}
