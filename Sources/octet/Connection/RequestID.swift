import Base

/// Makes the UUIDs (version 4, RFC 9562) that go into `request_id`.
enum RequestID {
  static func make(_ random: some RandomSource = SystemRandomSource()) -> String {
    var bytes = random.bytes(16)
    bytes[6] = bytes[6] & 0x0f | 0x40
    bytes[8] = bytes[8] & 0x3f | 0x80
    return UUIDText.text(bytes)
  }
}
