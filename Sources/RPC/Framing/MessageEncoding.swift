internal import Compression

/// How the messages of one direction of a call may be compressed. Raw values are the names on the wire.
public enum MessageEncoding: String, Sendable, CaseIterable {
  case identity
  case gzip

  /// What this side can read, as `grpc-accept-encoding` says it.
  package static let accepted = allCases.map(\.rawValue).joined(separator: ",")

  /// Reads the value of `grpc-encoding`; nil for an encoding that is not known here.
  init?(_ headers: HeaderList, _ value: Range<Int>) {
    // Not over all cases: that would make an array for every call.
    if headers.holds(value, "identity") {
      self = .identity
    } else if headers.holds(value, "gzip") {
      self = .gzip
    } else {
      return nil
    }
  }

  /// Whether the sender of `headers` can read this encoding.
  func isAccepted(by headers: HeaderList) -> Bool {
    self == .identity
      || headers.contains { field in
        headers.matches(field, "grpc-accept-encoding")
          && headers.octets[field.value].split(separator: UInt8(ascii: ",")).contains { part in
            let trimmed = part.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != UInt8(ascii: " ") }
            return trimmed.elementsEqual(rawValue.utf8)
          }
      }
  }
}

/// Messages with their prefix, compressed and decompressed.
package enum MessageCompression {
  /// The message compressed, or as it is if that would not make it shorter.
  /// - Parameter message: prefix and wire form, not compressed.
  package static func compress(_ message: [UInt8]) -> [UInt8] {
    guard message.count >= RPCLimits.compressedFromBytes else { return message }
    let wireForm = message.span.extracting(droppingFirst: EncodedMessage.prefixLength)
    guard var compressed = Gzip.compress(wireForm, headroom: EncodedMessage.prefixLength) else { return message }
    compressed[0] = 1
    return EncodedMessage(reserved: compressed).bytes
  }

  /// The wire form in a compressed payload.
  /// - Parameters:
  ///   - encoding: what the call declares; nil for an encoding that is not known.
  ///   - limit: the greatest length of the wire form.
  ///   - turns: who shares the time that this takes.
  package static func decompress(
    _ payload: ArraySlice<UInt8>, _ encoding: MessageEncoding?, limit: Int, counting turns: InflateTurns?
  ) throws(FramingError) -> ArraySlice<UInt8> {
    switch encoding {
    case .identity: throw .undeclaredCompression
    case nil: throw .unknownCompression
    case .gzip: break
    }
    // What fails has cost this at most.
    var spent = limit
    defer { turns?.spend(spent) }
    do throws(GzipError) {
      let wireForm = try Gzip.decompress(payload.span, limit: limit)
      // Reading takes time as well, if nothing is in it.
      spent = max(wireForm.count, payload.count)
      return wireForm[...]
    } catch {
      switch error {
      case .corrupt: throw .corrupt
      case .tooLarge: throw .inflatesTooLarge(limit: limit)
      }
    }
  }
}
