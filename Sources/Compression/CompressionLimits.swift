/// What decompressing can make us hold. How large a result may be, its caller says.
enum CompressionLimits {
  /// States of each kind that are kept while nobody uses them: two for each of eight event loops, with 6 MB in all.
  static let retainedStates = 16

  /// Output is produced in pieces of this many bytes, so that nothing beyond a limit is: zlib's own window, so that a
  /// piece costs no more than it has to.
  static let pieceBytes = 32 << 10
}
