internal import CNghttp2
internal import RPC

/// Header lists in the form that nghttp2 takes: pointers into our buffers, valid during the call only (nghttp2 copies
/// what it keeps).
enum NameValues {
  typealias Body<Result> = (UnsafePointer<nghttp2_nv>?, Int) -> Result

  /// The head of a response.
  static func with<Result>(status: Int, _ headers: HeaderList, _ body: Body<Result>) -> Result {
    precondition((100..<1000).contains(status), "a status has three digits")
    if status == 200 { return with(first: (":status", "200"), headers, body) }
    return with(pseudo: [(":status", String(status))], headers, body)
  }

  /// The head of a request.
  static func with<Result>(
    pseudo: [(StaticString, String)], _ headers: HeaderList, _ body: Body<Result>
  ) -> Result {
    var octets: [UInt8] = []
    octets.reserveCapacity(pseudo.reduce(0) { $0 + $1.1.utf8.count })
    for (_, value) in pseudo { octets.append(contentsOf: value.utf8) }
    return octets.withUnsafeBufferPointer { octets in
      fill(headers, extra: pseudo.count, body) { values in
        var start = octets.baseAddress
        for (index, (name, value)) in pseudo.enumerated() {
          let length = value.utf8.count
          (values + index).initialize(to: make(name.utf8Start, name.utf8CodeUnitCount, start, length))
          start = start.map { $0 + length }
        }
      }
    }
  }

  /// Trailers.
  static func with<Result>(_ headers: HeaderList, _ body: Body<Result>) -> Result {
    fill(headers, extra: 0, body) { _ in }
  }

  private static func with<Result>(
    first: (StaticString, StaticString), _ headers: HeaderList, _ body: Body<Result>
  ) -> Result {
    fill(headers, extra: 1, body) { values in
      values.initialize(
        to: make(first.0.utf8Start, first.0.utf8CodeUnitCount, first.1.utf8Start, first.1.utf8CodeUnitCount))
    }
  }

  @inline(__always)
  private static func fill<Result>(
    _ headers: HeaderList, extra: Int, _ body: Body<Result>, _ head: (UnsafeMutablePointer<nghttp2_nv>) -> Void
  ) -> Result {
    let total = headers.count + extra
    return withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: max(total, 1)) { values in
      let start = values.baseAddress.unsafelyUnwrapped
      head(start)
      return headers.octets.withUnsafeBufferPointer { octets in
        var next = start + extra
        for field in headers {
          let base = octets.baseAddress.unsafelyUnwrapped
          next.initialize(
            to: make(
              base + field.name.lowerBound, field.name.count, base + field.value.lowerBound, field.value.count))
          next += 1
        }
        return body(UnsafePointer(start), total)
      }
    }
  }

  /// nghttp2 does not write through these pointers, although their type allows it.
  @inline(__always)
  private static func make(
    _ name: UnsafePointer<UInt8>, _ nameLength: Int, _ value: UnsafePointer<UInt8>?, _ valueLength: Int
  ) -> nghttp2_nv {
    nghttp2_nv(
      name: UnsafeMutablePointer(mutating: name), value: UnsafeMutablePointer(mutating: value), namelen: nameLength,
      valuelen: valueLength, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
  }
}
