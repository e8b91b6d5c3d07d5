/// A google.protobuf.FieldMask in JSON: paths in lowerCamel with commas between them.
enum FieldMaskText {
  /// `user.display_name` as `user.displayName`; nil if it could not be read back.
  static func camel(_ path: String) -> String? {
    var result = ""
    var raise = false
    for scalar in path.unicodeScalars {
      if raise {
        guard ("a"..."z").contains(scalar) else { return nil }
        result += String(scalar).uppercased()
        raise = false
      } else if scalar == "_" {
        raise = true
      } else {
        guard !("A"..."Z").contains(scalar), scalar != "," else { return nil }
        result.unicodeScalars.append(scalar)
      }
    }
    return raise ? nil : result
  }

  /// `user.displayName` as `user.display_name`; nil if an underscore is in it.
  static func snake(_ path: Substring.UTF8View) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(path.count)
    for octet in path {
      switch octet {
      case UInt8(ascii: "_"): return nil
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): result += [UInt8(ascii: "_"), octet | 0x20]
      default: result.append(octet)
      }
    }
    return result
  }
}
