internal import Base
internal import Cryptography

/// How far an upload is durable, with the state of its hash there, so that nothing has to be read again.
///
/// A file of two slots that are written in turn: a write that a crash has torn leaves the other slot whole.
struct FolderCheckpoint {
  var sequence: UInt64
  var offset: UInt64
  var hash: SHA256

  private static let magic: [UInt8] = Array("octblob1".utf8)
  /// A sector, so that the slots do not share one.
  private static let slotBytes = 512
  private static let checksumBytes = 8
  private static let bodyBytes = magic.count + 16 + SHA256.stateLength

  /// Reads the later one of the slots that are whole, or nil if none is.
  static func read(_ file: DiskFile) throws(FileError) -> FolderCheckpoint? {
    let bytes = try file.read(at: 0, count: 2 * slotBytes)
    let slots = [0, slotBytes].compactMap { start in FolderCheckpoint(slot: bytes.dropFirst(start)) }
    return slots.max { $0.sequence < $1.sequence }
  }

  /// Writes the checkpoint and returns once it is on disk. What it speaks of must be on disk before.
  func write(_ file: DiskFile) throws(FileError) {
    var bytes = Self.magic + sequence.bigEndianBytes + offset.bigEndianBytes + hash.storedState
    bytes += Self.checksum(bytes[...]).bigEndianBytes
    try file.write(bytes, at: sequence % 2 * UInt64(Self.slotBytes))
    try file.synchronize()
  }

  init(sequence: UInt64, offset: UInt64, hash: SHA256) {
    self.sequence = sequence
    self.offset = offset
    self.hash = hash
  }

  private init?(slot: ArraySlice<UInt8>) {
    let slot = Array(slot.prefix(Self.bodyBytes + Self.checksumBytes))
    guard slot.count == Self.bodyBytes + Self.checksumBytes, slot.starts(with: Self.magic),
      UInt64(bigEndianBytes: slot[Self.bodyBytes...]) == Self.checksum(slot[..<Self.bodyBytes]),
      let hash = SHA256(storedState: Array(slot[(Self.magic.count + 16)..<Self.bodyBytes]))
    else { return nil }
    let numbers = slot.dropFirst(Self.magic.count)
    self.init(
      sequence: UInt64(bigEndianBytes: numbers.prefix(8)),
      offset: UInt64(bigEndianBytes: numbers.dropFirst(8).prefix(8)), hash: hash)
  }

  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    var hash = StableHash()
    hash.combine(bytes)
    return UInt64(bitPattern: hash.value)
  }
}
