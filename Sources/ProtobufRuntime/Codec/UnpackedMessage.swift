public import CProtobufC

/// A message that protobuf-c has unpacked into this thread's arena, and the only owner of that arena.
public struct UnpackedMessage: ~Copyable {
  /// The C struct. Valid as long as this value and the bytes it was made of, into which it may point.
  public let message: UnsafeRawPointer
  /// What generated code copies values with.
  public let source: Source

  /// Checks the wire form and has protobuf-c unpack it.
  /// - Throws: `DecodeError` for malformed, too deep or too expensive input.
  public init(_ bytes: RawSpan, _ layout: MessageLayout, _ limits: DecodeLimits) throws(DecodeError) {
    let arena = Arena.acquire(budget: limits.memory)
    do {
      message = try bytes.withUnsafeBytes { buffer throws(DecodeError) in
        try Self.unpack(buffer, layout.descriptor, limits, in: arena)
      }
    } catch {
      Arena.release(arena)
      throw error
    }
    source = Source(arena: arena)
  }

  deinit {
    Arena.release(source.arena)
  }

  private static func unpack(
    _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, _ limits: DecodeLimits,
    in arena: UnsafeMutablePointer<Arena>
  ) throws(DecodeError) -> UnsafeRawPointer {
    // protobuf-c counts the bytes of a field with 32 bits.
    guard bytes.count <= Int(Int32.max) else { throw .overBudget }
    var fill = WireFill(limits, arena: arena)
    if let filled = try fill.message(bytes, descriptor, depth: 1) { return UnsafeRawPointer(filled) }
    var check = WireCheck(limits)
    try check.message(bytes, descriptor, depth: 1)
    var bytes = bytes
    if check.hasRepeatedParts {
      guard check.elements <= limits.elements / DecodeLimits.joinedElementPrice else { throw .tooMany }
      bytes = try WireMerge(arena: arena).merged(bytes, descriptor)
    }
    let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    // The allocator lies in the arena, which does not move.
    let unpacked = withUnsafeMutablePointer(to: &arena.pointee.allocator) { allocator in
      protobuf_c_message_unpack(descriptor, allocator, bytes.count, start)
    }
    guard let unpacked else { throw arena.pointee.failure ?? .malformed }
    return UnsafeRawPointer(unpacked)
  }
}

extension UnpackedMessage {
  /// Copies values out of C structs. What goes wrong is kept until `check`, so that generated code has no error
  /// path for each field.
  public struct Source {
    let arena: UnsafeMutablePointer<Arena>

    /// - Throws: what went wrong first while values were copied.
    public func check() throws(DecodeError) {
      if let failure = arena.pointee.failure { throw failure }
    }

    /// The text of a string field, which is declared as bytes to protobuf-c so that its length survives a NUL.
    /// - Parameter field: the full name of the field, for the error.
    public func string(_ data: ProtobufCBinaryData, _ field: StaticString) -> String {
      guard data.len > 0 else { return "" }
      do {
        let bytes = UnsafeBufferPointer(start: data.data, count: data.len)
        return String(copying: try UTF8Span(validating: bytes.span))
      } catch {
        fail(.invalidUTF8(field: "\(field)"))
        return ""
      }
    }

    /// The value of a bytes field.
    public func bytes(_ data: ProtobufCBinaryData) -> [UInt8] {
      data.len == 0 ? [] : [UInt8](UnsafeBufferPointer(start: data.data, count: data.len))
    }

    /// The texts of a repeated string field.
    public func strings(
      _ count: Int, _ items: UnsafeMutablePointer<ProtobufCBinaryData>?, _ field: StaticString
    ) -> [String] {
      guard afford(count, String.self), let items else { return [] }
      return (0..<count).map { string(items[$0], field) }
    }

    /// The values of a repeated bytes field.
    public func byteArrays(_ count: Int, _ items: UnsafeMutablePointer<ProtobufCBinaryData>?) -> [[UInt8]] {
      guard afford(count, [UInt8].self), let items else { return [] }
      return (0..<count).map { bytes(items[$0]) }
    }

    /// The values of a repeated field of numbers.
    @inlinable @inline(never)
    public func values<Value: BitwiseCopyable>(_ count: Int, _ items: UnsafeMutablePointer<Value>?) -> [Value] {
      guard afford(count, Value.self), let items else { return [] }
      return [Value](UnsafeBufferPointer(start: items, count: count))
    }

    /// The values of a repeated bool field.
    public func booleans(_ count: Int, _ items: UnsafeMutablePointer<protobuf_c_boolean>?) -> [Bool] {
      guard afford(count, Bool.self), let items else { return [] }
      return (0..<count).map { items[$0] != 0 }
    }

    /// The values of a repeated enum field, which is declared as int32 to protobuf-c.
    @inlinable @inline(never)
    public func enums<Value: ProtobufEnum>(_ count: Int, _ items: UnsafeMutablePointer<Int32>?) -> [Value] {
      guard afford(count, Value.self), let items else { return [] }
      return (0..<count).map { Value(rawValue: items[$0]) }
    }

    /// The value of a singular message field.
    @inlinable @inline(never)
    public func message<Value: GeneratedMessage>(_ item: UnsafeRawPointer?) -> Value? {
      guard let item else { return nil }
      return Value(reading: item, self)
    }

    /// The value of a recursive message field.
    @inlinable @inline(never)
    public func boxed<Value: GeneratedMessage>(_ item: UnsafeRawPointer?) -> Box<Value>? {
      guard let item else { return nil }
      return Box(Value(reading: item, self))
    }

    /// The value of a message in a oneof or a map, where an absent one stands for the empty message.
    @inlinable @inline(never)
    public func member<Value: GeneratedMessage>(_ item: UnsafeRawPointer?) -> Value {
      guard let item else { return Value() }
      return Value(reading: item, self)
    }

    /// The values of a repeated message field.
    /// - Parameter items: an array of pointers to C structs.
    @inlinable @inline(never)
    public func messages<Value: GeneratedMessage>(_ count: Int, _ items: UnsafeRawPointer?) -> [Value] {
      guard afford(count, Value.self), let items else { return [] }
      let pointers = UnsafeBufferPointer(start: items.assumingMemoryBound(to: UnsafeRawPointer.self), count: count)
      var result: [Value] = []
      result.reserveCapacity(count)
      for pointer in pointers { result.append(Value(reading: pointer, self)) }
      return result
    }

    /// The entries of a map field; the last one of a key counts.
    /// - Parameter items: an array of pointers to C structs of the entry type.
    @inlinable @inline(never)
    public func map<Key: Hashable, Value, Entry>(
      _ count: Int, _ items: UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>?,
      _ entry: (Entry) -> (Key, Value)
    ) -> [Key: Value] {
      guard afford(count, (Key, Value).self), let items else { return [:] }
      var result: [Key: Value] = [:]
      for index in 0..<count {
        guard let item = items[index] else { continue }
        let (key, value) = entry(item.pointee)
        result[key] = value
      }
      return result
    }

    /// What protobuf-c did not know, in wire form.
    /// - Parameter base: the head of the C struct.
    public func unknownFields(_ base: ProtobufCMessage) -> UnknownFields {
      base.n_unknown_fields == 0 ? UnknownFields() : UnknownFields(base)
    }

    /// Charges the Swift copies of `count` values to the budget; they cost about as much as the C structs.
    @usableFromInline
    func afford<Value>(_ count: Int, _ type: Value.Type) -> Bool {
      guard count > 0 else { return false }
      let (cost, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Value>.stride)
      guard !overflow, cost <= arena.pointee.budget else {
        fail(.overBudget)
        return false
      }
      arena.pointee.budget -= cost
      return true
    }

    private func fail(_ error: DecodeError) {
      if arena.pointee.failure == nil { arena.pointee.failure = error }
    }
  }
}
