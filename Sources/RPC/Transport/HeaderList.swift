/// An ordered list of header fields, names in lower case, values as bytes; pseudo-headers are not in it.
///
/// All fields live in one buffer, so that a request's headers cost one allocation however many they are. Each field
/// is two octets of name length, four of value length (both little-endian), the name and the value.
public struct HeaderList: Sendable, Equatable {
  /// Where a field's name and value lie in `octets`.
  public struct Field: Sendable, Equatable {
    public let name: Range<Int>
    public let value: Range<Int>
  }

  /// The buffer that `Field` ranges refer to. A transport hands it to its header compressor as it is.
  public private(set) var octets: [UInt8] = []

  /// The number of fields.
  public private(set) var count = 0

  static let prefixLength = 6

  public init() {}

  public var isEmpty: Bool { count == 0 }

  /// The size that RFC 9113 §6.5.2 counts: octets of names and values plus 32 per field.
  public var listSize: Int { octets.count + (32 - Self.prefixLength) * count }

  /// Makes room for so many octets: a field takes those of its name and of its value, and six more.
  public mutating func reserve(octets total: Int) {
    octets.reserveCapacity(octets.count + total)
  }

  /// Appends a field. The name must be in lower case and the two must be valid in HTTP; see `Metadata` for names and
  /// values that come from users.
  public mutating func append(name: Span<UInt8>, value: Span<UInt8>) {
    appendPrefix(name.count, value.count)
    octets.append(copying: name)
    octets.append(copying: value)
  }

  /// Appends a field. The name must be in lower case and the two must be valid in HTTP; see `Metadata` for names and
  /// values that come from users.
  public mutating func append(_ name: String, _ value: String) {
    appendPrefix(name.utf8.count, value.utf8.count)
    octets.append(contentsOf: name.utf8)
    octets.append(contentsOf: value.utf8)
  }

  /// Appends all fields of `other`.
  package mutating func append(contentsOf other: HeaderList) {
    octets.append(contentsOf: other.octets)
    count += other.count
  }

  private mutating func appendPrefix(_ nameLength: Int, _ valueLength: Int) {
    precondition(nameLength <= UInt16.max && valueLength <= UInt32.max, "a header field is beyond every limit")
    octets.append(UInt8(truncatingIfNeeded: nameLength))
    octets.append(UInt8(truncatingIfNeeded: nameLength >> 8))
    octets.append(UInt8(truncatingIfNeeded: valueLength))
    octets.append(UInt8(truncatingIfNeeded: valueLength >> 8))
    octets.append(UInt8(truncatingIfNeeded: valueLength >> 16))
    octets.append(UInt8(truncatingIfNeeded: valueLength >> 24))
    count += 1
  }
}

extension HeaderList: Sequence {
  public struct Iterator: IteratorProtocol {
    let octets: [UInt8]
    var position = 0

    public mutating func next() -> Field? {
      guard position < octets.count else { return nil }
      let name = position + HeaderList.prefixLength
      let value = name + (Int(octets[position]) | Int(octets[position + 1]) << 8)
      position =
        value
        + (Int(octets[position + 2]) | Int(octets[position + 3]) << 8 | Int(octets[position + 4]) << 16
          | Int(octets[position + 5]) << 24)
      return Field(name: name..<value, value: value..<position)
    }
  }

  public func makeIterator() -> Iterator { Iterator(octets: octets) }
  public var underestimatedCount: Int { count }
}

extension HeaderList {
  /// The name of `field`.
  public func name(of field: Field) -> String { String(decoding: octets[field.name], as: UTF8.self) }

  /// The value of `field`; octets that are not UTF-8 are repaired.
  public func value(of field: Field) -> String { String(decoding: octets[field.value], as: UTF8.self) }

  /// Whether `field` has this name, given in lower case.
  public func matches(_ field: Field, _ name: String) -> Bool {
    octets.span.extracting(field.name).hasSameOctets(as: name.utf8.span)
  }

  /// The value of the first field with this name, given in lower case.
  public func first(_ name: String) -> String? {
    first { matches($0, name) }.map(value)
  }

  /// Whether `range` of the buffer has the octets of `text`.
  package func holds(_ range: Range<Int>, _ text: StaticString) -> Bool {
    octets.span.extracting(range).hasSameOctets(as: text)
  }
}

extension HeaderList: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, String)...) {
    self.init()
    for (name, value) in elements { append(name, value) }
  }
}

extension HeaderList: CustomDebugStringConvertible {
  /// Names only: values may be secret.
  public var debugDescription: String {
    "[" + map { name(of: $0) }.joined(separator: ", ") + "]"
  }
}
