/// The `Range` field of a request (RFC 9110 §14.2).
enum ByteRange: Equatable {
  /// The whole: there is no such field, it asks for several ranges, or is nothing that one understands.
  case whole
  case part(Range<Int64>)
  /// No byte of it is there.
  case unsatisfiable

  init(_ field: String?, length: Int64) {
    self = .whole
    guard let field, field.utf8.count <= 100, field.lowercased().hasPrefix("bytes=") else { return }
    let ends = field.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false).map(Self.trimmed)
    guard ends.count == 2 else { return }
    switch (Self.number(ends[0]), Self.number(ends[1])) {
    case (let first?, let last?) where first <= last:
      self = first < length ? .part(first..<(min(last, length - 1) + 1)) : .unsatisfiable
    case (let first?, nil) where ends[1].isEmpty:
      self = first < length ? .part(first..<length) : .unsatisfiable
    case (nil, let count?) where ends[0].isEmpty:
      self = count > 0 && length > 0 ? .part(max(0, length - count)..<length) : .unsatisfiable
    default: return
    }
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return text
  }

  /// Nil for what is no number. One that is too large is the largest.
  private static func number(_ text: Substring) -> Int64? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
      return nil
    }
    return Int64(text) ?? .max
  }
}
