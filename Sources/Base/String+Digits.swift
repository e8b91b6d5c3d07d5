extension String {
  /// A number that is not negative, with leading zeros if it has fewer than `width` digits.
  public init(_ number: some BinaryInteger, radix: Int = 10, width: Int) {
    let digits = String(number, radix: radix)
    self = String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
  }
}
