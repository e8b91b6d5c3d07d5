/// The numbers of HTTP/2's frames (RFC 9113 §4.1, §6).
enum FrameType {
  static let data: UInt8 = 0x0
  static let headers: UInt8 = 0x1
  static let priority: UInt8 = 0x2
  static let resetStream: UInt8 = 0x3
  static let settings: UInt8 = 0x4
  static let pushPromise: UInt8 = 0x5
  static let ping: UInt8 = 0x6
  static let goAway: UInt8 = 0x7
  static let windowUpdate: UInt8 = 0x8
  static let continuation: UInt8 = 0x9
}

enum FrameFlags {
  static let endStream: UInt8 = 0x1
  static let acknowledgement: UInt8 = 0x1
  static let endHeaders: UInt8 = 0x4
  static let padded: UInt8 = 0x8
  static let priority: UInt8 = 0x20
}

/// The parameters of SETTINGS (RFC 9113 §6.5.2).
enum SettingID {
  static let headerTableSize: UInt16 = 0x1
  static let enablePush: UInt16 = 0x2
  static let maxConcurrentStreams: UInt16 = 0x3
  static let initialWindowSize: UInt16 = 0x4
  static let maxFrameSize: UInt16 = 0x5
  static let maxHeaderListSize: UInt16 = 0x6
}

/// Values that RFC 9113 fixes.
enum HTTP2Protocol {
  static let clientPreface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
  /// The window of streams and connections before anything else is agreed (§6.9.2).
  static let initialWindow = 65_535
  /// No window may grow beyond (§6.9.1).
  static let maxWindow = 0x7fff_ffff
  /// The longest frame that everybody takes, which is also the longest that we take (§4.2).
  static let defaultFrameSize = 16_384
  static let largestFrameSize = 0xff_ffff
  static let largestStreamID: Int32 = 0x7fff_ffff
  /// What HPACK's dynamic tables may take unless SETTINGS say something else (§6.5.2).
  static let defaultHeaderTableSize = 4096
}

/// The nine octets in front of each frame.
struct FrameHeader {
  static let size = 9

  var length: Int
  var type: UInt8
  var flags: UInt8
  var streamID: Int32

  @inline(__always)
  init(length: Int, type: UInt8, flags: UInt8, streamID: Int32) {
    self.length = length
    self.type = type
    self.flags = flags
    self.streamID = streamID
  }

  /// Reads nine octets. The reserved bit of the stream id is ignored (§4.1).
  @inline(__always)
  init(_ octets: UnsafeRawPointer) {
    let first = UInt32(bigEndian: octets.loadUnaligned(as: UInt32.self))
    length = Int(first >> 8)
    type = UInt8(truncatingIfNeeded: first)
    flags = octets.load(fromByteOffset: 4, as: UInt8.self)
    streamID = Int32(
      truncatingIfNeeded: UInt32(bigEndian: octets.loadUnaligned(fromByteOffset: 5, as: UInt32.self)) & 0x7fff_ffff)
  }

  /// Writes nine octets.
  @inline(__always)
  func write(to octets: UnsafeMutableRawPointer) {
    octets.storeBytes(of: (UInt32(truncatingIfNeeded: length) << 8 | UInt32(type)).bigEndian, as: UInt32.self)
    octets.storeBytes(of: flags, toByteOffset: 4, as: UInt8.self)
    octets.storeBytes(of: UInt32(bitPattern: streamID).bigEndian, toByteOffset: 5, as: UInt32.self)
  }

  @inline(__always)
  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }
}
