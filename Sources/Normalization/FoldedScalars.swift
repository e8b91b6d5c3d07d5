internal import CUtf8proc

/// Takes characters apart until those that mean the same are the same: compatibility decomposition (UAX #15) with full
/// case folding, without the characters that nobody sees (Default_Ignorable_Code_Point: zero-width, soft hyphens,
/// variation selectors).
///
/// Texts with equal NFKC forms give the same scalars but for the order of marks on one letter, which nobody puts right
/// here: ordering what a stranger sent costs the square of its length. Each scalar is looked at on its own, so a text
/// costs time in proportion to its length, whatever it holds.
public struct FoldedScalars {
  /// The most that one scalar becomes: U+FDFA is 18 letters. With room to spare for versions of Unicode to come.
  private static let expansionLimit = 32

  private var buffer = [Int32](repeating: 0, count: expansionLimit)

  public init() {}

  /// Calls `body` with what a scalar becomes: nothing, one scalar, or several.
  @inline(__always)
  public mutating func fold(_ scalar: Unicode.Scalar, _ body: (Unicode.Scalar) -> Void) {
    if scalar.isASCII {
      let value = UInt8(truncatingIfNeeded: scalar.value)
      let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(value)
      return body(Unicode.Scalar(isCapital ? value | 0x20 : value))
    }
    let count = expand(scalar)
    for index in 0..<count {
      // What the tables hold is Unicode's own; a surrogate is not among it.
      guard let part = Unicode.Scalar(UInt32(bitPattern: buffer[index])) else { continue }
      body(part)
    }
  }

  private mutating func expand(_ scalar: Unicode.Scalar) -> Int {
    let count = buffer.withUnsafeMutableBufferPointer { buffer in
      octet_fold(Int32(bitPattern: scalar.value), buffer.baseAddress, buffer.count)
    }
    precondition((0...Self.expansionLimit).contains(count), "a scalar that becomes \(count)")
    return count
  }
}
