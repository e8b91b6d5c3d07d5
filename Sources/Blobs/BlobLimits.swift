/// Every bound of the blob stores, with its reason.
public struct BlobLimits: Sendable, Equatable {
  /// Greatest size of one blob, in bytes. 64 GiB is a long film in its best rendition.
  public var blobBytes: UInt64 = 64 << 30

  /// Greatest piece that a reader hands out, in bytes: what a slow receiver holds of a large blob.
  public var chunkBytes = 256 << 10

  /// Threads of a folder store. Disks do a few things at once; hashing takes a processor.
  public var threads = 4

  /// How many calls may wait for those threads before further ones are refused.
  public var waitingCalls = 1024

  /// How many files a folder store keeps open: an upload takes two, a reader one.
  public var openFiles = 2048

  public init() {}

  /// How many rows the collector takes with one transaction: a millisecond or two of a writer's time.
  static let batch = 64
}
