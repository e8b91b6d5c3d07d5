/// Lists in statements: `WHERE id IN \(placeholders(from: 2, count: 64))` is one text, which stays prepared, for any number of
/// ids; `filledPieces` cuts them to it.

extension RandomAccessCollection where Index == Int {
  /// Pieces of `size` elements, for statements that take so many; the last one is filled up with its last element.
  public func filledPieces(of size: Int) -> [[Element]] {
    stride(from: startIndex, to: endIndex, by: size).map { start in
      (start..<(start + size)).map { self[Swift.min($0, endIndex - 1)] }
    }
  }
}

/// `($first, …)`, for so many arguments.
public func placeholders(from first: Int, count: Int) -> String {
  "(" + (first..<(first + count)).map { "$\($0)" }.joined(separator: ", ") + ")"
}
