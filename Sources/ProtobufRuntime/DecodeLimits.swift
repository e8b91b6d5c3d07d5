/// How much an input may cost. A peer drives all of these, and whoever decodes is an event loop that others wait for.
public struct DecodeLimits: Sendable {
  /// Greatest nesting of messages; the root is at depth 1.
  public var depth: Int
  /// Greatest memory that protobuf-c may take for one message, in bytes.
  public var memory: Int
  /// Greatest number of elements of one message: of inner messages, entries of maps, items of lists, unknown fields and
  /// values that replace an earlier one of their field (of a field beyond the 64th, of every value but a message's);
  /// `packedNumbers` numbers of a packed list are one. Each takes 50
  /// to 200 ns and can be two bytes long, so that without this limit 4 MiB held a loop for 60 to 90 ms; with it, for
  /// some 10 ms. A message of 4 MiB whose elements have more than 84 bytes on average is not affected.
  public var elements: Int

  public init(depth: Int = 100, memory: Int = 64 << 20, elements: Int = 50_000) {
    self.depth = depth
    self.memory = memory
    self.elements = elements
  }

  public static let `default` = DecodeLimits()

  /// So many numbers of a packed list take as long as one element, or less.
  package static let packedNumbers = 16
  /// So many times the price of an element is that of one in a message whose parts have to be joined (see `WireMerge`):
  /// it is copied once more on each level, through tables. Nobody sends such messages but on purpose.
  package static let joinedElementPrice = 8
  /// The longest number in JSON, in octets. No double needs more than 767 digits to be told from its neighbours, and
  /// what is longer costs ten times as much an octet as a text does.
  package static let jsonNumber = 1 << 10
  /// How many times its length a text in JSON may be copied: what is nested is copied on each level, so that a long text
  /// a hundred levels deep would cost a gigabyte. Sixteen levels are more than protos for people have; `jsonValue` comes
  /// on top for each value.
  package static let jsonCopies = 16
  /// What a short value in JSON may take in wire form, in octets: a digit and its comma are eleven as a Value in a list.
  package static let jsonValue = 12
  /// How many times its length a text in JSON may be looked through in search of the `@type` of an Any that does not
  /// begin with it: an Any in an Any in an Any, each with its type at the end, would cost the square of its length.
  package static let jsonLookingAhead = 2
  /// What each text may cost of the last two however short it is, in octets.
  package static let jsonShort = 64 << 10

  // MARK: Around decoding

  /// Violations of rules that are recorded. A request of many small faults must not become an answer of many megabytes.
  package static let violations = 32
  /// Code points of a map's key that the path of a violation shows.
  package static let violationKey = 64
  /// Greatest nesting of groups that are passed over. Groups are older than proto3 and rare.
  package static let groups = 32
  /// Greatest nesting of messages in a file of descriptors. protobuf-c recurses on its stack, so it is checked before.
  package static let descriptors = 64
  /// Greatest nesting of JSON that no message describes: nobody nests configuration deeper.
  package static let configuration = 64
  /// The greatest block that a thread keeps between messages, so that a stream of long ones does not allocate either.
  package static let keptBlock = 1 << 20
}
