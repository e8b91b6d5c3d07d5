/// The octet classes of HTTP's grammar.
enum HTTP1Octets {
  static let tab = UInt8(ascii: "\t")
  static let lineFeed = UInt8(ascii: "\n")
  static let carriageReturn = UInt8(ascii: "\r")
  static let space = UInt8(ascii: " ")
  static let colon = UInt8(ascii: ":")

  /// `tchar` (RFC 9110 §5.6.2): what methods and field names are made of.
  static func isToken(_ octet: UInt8) -> Bool {
    switch octet {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"),
      UInt8(ascii: "%"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
      UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
      UInt8(ascii: "|"), UInt8(ascii: "~"):
      true
    default: false
    }
  }

  /// What a field value may hold (RFC 9110 §5.5): visible octets, blanks, and what is beyond ASCII.
  static func isFieldValue(_ octet: UInt8) -> Bool {
    octet == tab || octet >= space && octet != 0x7f
  }

  /// What a request target may hold: visible ASCII, and no fragment.
  static func isTarget(_ octet: UInt8) -> Bool {
    octet > space && octet < 0x7f && octet != UInt8(ascii: "#")
  }

  /// What a host with its port may hold (RFC 3986 §3.2), without user information.
  static func isAuthority(_ octet: UInt8) -> Bool {
    switch octet {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"), UInt8(ascii: "%"), UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"),
      UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"),
      UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="), colon, UInt8(ascii: "["), UInt8(ascii: "]"):
      true
    default: false
    }
  }

  static func isBlank(_ octet: UInt8) -> Bool { octet == space || octet == tab }
}
