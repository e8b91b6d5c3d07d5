internal import Base

/// What a user adds to the head or the end of a call: names in lower case, values as text, or as bytes under names that
/// end in `-bin`. A name may occur several times.
///
/// ```swift
/// var metadata = Metadata()
/// try metadata.add("x-tenant", "north")
/// try metadata.add("x-trace-bin", binary: [1, 2, 3])
/// ```
public struct Metadata: Sendable, Equatable {
  /// The fields in wire form. Those of a received head include the protocol's own, which iteration leaves out.
  private(set) var headers: HeaderList

  public init() {
    headers = HeaderList()
  }

  init(received headers: HeaderList) {
    self.headers = headers
  }

  /// Whether there is no field at all.
  public var isEmpty: Bool { headers.isEmpty }

  /// The first value of `name`, in any case; for a `-bin` name its base 64 text.
  public subscript(name: String) -> String? {
    for field in headers where matches(field, name) { return headers.value(of: field) }
    return nil
  }

  /// All values of `name`, in any case.
  public func values(_ name: String) -> [String] {
    headers.filter { matches($0, name) }.map(headers.value)
  }

  /// All values of a `-bin` name. Padded and unpadded base 64 are accepted, as are several values joined by commas.
  /// - Throws: `.invalidBase64`.
  public func binary(_ name: String) throws(MetadataError) -> [[UInt8]] {
    var values: [[UInt8]] = []
    for field in headers where matches(field, name) {
      for part in headers.octets[field.value].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
        let trimmed = part.drop { $0 == UInt8(ascii: " ") }
        guard let value = Base64.standard.decode(trimmed) else { throw .invalidBase64(name: name) }
        values.append(value)
      }
    }
    return values
  }

  /// Adds a text. The name is put into lower case; spaces around the value are dropped, as HTTP/2 allows none there.
  /// - Throws: for a malformed, reserved or `-bin` name, and for a value that is not printable ASCII.
  public mutating func add(_ name: String, _ value: String) throws(MetadataError) {
    let name = try Self.userName(name)
    guard !name.hasSuffix(Self.binarySuffix) else { throw .binaryName(name) }
    guard value.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else { throw .invalidValue(name: name) }
    headers.append(name, value.trimmed(" "))
  }

  /// Adds bytes under a name that ends in `-bin`.
  /// - Throws: for a malformed or reserved name, and for one that does not end in `-bin`.
  public mutating func add(_ name: String, binary value: [UInt8]) throws(MetadataError) {
    let name = try Self.userName(name)
    guard name.hasSuffix(Self.binarySuffix) else { throw .textName(name) }
    headers.append(name, Base64.standard.encode(value))
  }

  /// Adds all of `other`, behind what is there.
  public mutating func add(contentsOf other: Metadata) {
    if headers.isEmpty {
      headers = other.headers
    } else {
      headers.append(contentsOf: other.headers)
    }
  }

  private func matches(_ field: HeaderList.Field, _ name: String) -> Bool {
    guard field.name.count == name.utf8.count else { return false }
    var position = field.name.lowerBound
    for octet in name.utf8 {
      if headers.octets[position] != octet.asciiLowercased { return false }
      position += 1
    }
    return true
  }
}

extension Metadata: Sequence {
  /// The users' fields in their order; values of `-bin` names as base 64 text.
  public func makeIterator() -> IndexingIterator<[(name: String, value: String)]> {
    headers.compactMap { field in
      let name = headers.name(of: field)
      return Self.isReserved(name) ? nil : (name, headers.value(of: field))
    }.makeIterator()
  }
}

extension Metadata: CustomDebugStringConvertible {
  /// Names only: values may be secret.
  public var debugDescription: String { headers.debugDescription }
}
