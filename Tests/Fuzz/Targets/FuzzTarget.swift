import Base

/// A part of the stack that takes octets from strangers, with what must hold whatever they send.
///
/// The same targets run in two places: under libFuzzer, which looks for inputs that reach new code (`make fuzz`), and
/// in the tests, with the seeds and some thousand changes of them.
struct FuzzTarget: Sendable, CustomStringConvertible {
  /// Names the folder of its seeds as well.
  let name: String
  let run: @Sendable ([UInt8]) throws -> Void

  var description: String { name }

  static let all = [
    FuzzTarget(name: "http2", run: HTTP2Fuzz.run),
    FuzzTarget(name: "http2-client", run: HTTP2Fuzz.runClient),
    FuzzTarget(name: "http1", run: HTTP1Fuzz.run),
    FuzzTarget(name: "deframer", run: DeframerFuzz.run),
    FuzzTarget(name: "metadata", run: MetadataFuzz.run),
    FuzzTarget(name: "timeout", run: TimeoutFuzz.run),
    FuzzTarget(name: "percent", run: PercentFuzz.run),
    FuzzTarget(name: "protobuf", run: ProtobufFuzz.run),
    FuzzTarget(name: "json", run: JSONFuzz.run),
    FuzzTarget(name: "base64", run: Base64BodyFuzz.run),
    FuzzTarget(name: "query", run: QueryFuzz.run),
    FuzzTarget(name: "web", run: WebFuzz.run),
  ]
}

/// Something that must hold does not.
struct FuzzFailure: Error, CustomStringConvertible {
  let description: String
}

func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
  if !condition { throw FuzzFailure(description: message()) }
}

/// Cuts octets into pieces, at places that the octets themselves decide: the same input is always cut the same way.
func pieces(_ octets: [UInt8]) -> [ArraySlice<UInt8>] {
  var hash = StableHash()
  hash.combine(octets)
  let random = SeededRandomSource(seed: UInt64(bitPattern: hash.value))
  // Some inputs go octet by octet, most in a few pieces.
  let longest = random.below(4) == 0 ? 1 : UInt64(octets.count / 2 + 1)
  var pieces: [ArraySlice<UInt8>] = []
  var start = 0
  while start < octets.count {
    let end = min(octets.count, start + 1 + Int(random.below(longest)))
    pieces.append(octets[start..<end])
    start = end
  }
  return pieces
}
