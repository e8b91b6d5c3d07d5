public import CProtobufC

/// A message being laid out as C structs in this thread's arena for protobuf-c to pack, and the only owner of that
/// arena.
public struct PackedMessage: ~Copyable {
  /// The C struct of the message. Valid as long as this value.
  public let message: UnsafeMutableRawPointer
  /// What generated code copies values with.
  public let target: Target

  /// Begins with an empty message.
  public init(_ layout: MessageLayout) {
    target = Target(arena: Arena.acquire(budget: .max))
    message = target.allocate(layout)
  }

  deinit {
    Arena.release(target.arena)
  }

  /// Packs the message, preceded by `headroom` zero bytes.
  public func bytes(headroom: Int) -> [UInt8] {
    if let bytes = shortBytes(headroom: headroom) { return bytes }
    let packable = UnsafePointer(message.assumingMemoryBound(to: ProtobufCMessage.self))
    let size = protobuf_c_message_get_packed_size(packable)
    return [UInt8](unsafeUninitializedCapacity: headroom + size) { buffer, count in
      count = headroom + size
      guard count > 0, let start = buffer.baseAddress else { return }
      start.initialize(repeating: 0, count: headroom)
      let written = protobuf_c_message_pack(packable, start + headroom)
      precondition(written == size, "protobuf-c wrote \(written) bytes where it promised \(size)")
    }
  }

  /// The same for a short and plain message, by way of the arena: making an array that is filled in place costs more
  /// than copying so little. Nil for other messages.
  private func shortBytes(headroom: Int) -> [UInt8]? {
    guard headroom <= Arena.longestCopy else { return nil }
    let room = target.allocate(headroom + Arena.longestCopy)
    room.initializeMemory(as: UInt8.self, repeating: 0, count: headroom)
    var pack = WirePack(at: room + headroom, room: Arena.longestCopy)
    guard let size = pack.message(message) else { return nil }
    return [UInt8](UnsafeRawBufferPointer(start: room, count: headroom + size))
  }
}

extension PackedMessage {
  /// Copies values into C structs.
  public struct Target {
    let arena: UnsafeMutablePointer<Arena>

    /// A string field's text; it is declared as bytes to protobuf-c.
    public func string(_ text: String) -> ProtobufCBinaryData {
      var text = text
      return text.withUTF8 { copy(UnsafeRawBufferPointer($0)) }
    }

    /// A bytes field's value.
    public func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
      guard bytes.count > Arena.longestCopy else { return bytes.withUnsafeBytes { copy($0) } }
      // The storage of an array stays where it is for as long as the arena refers to the array and nobody else
      // can change it, so protobuf-c may read it until the arena is emptied. Saves a copy of every long value.
      arena.pointee.lent.append(bytes)
      return bytes.withUnsafeBufferPointer { storage in
        ProtobufCBinaryData(len: storage.count, data: UnsafeMutablePointer(mutating: storage.baseAddress))
      }
    }

    /// The texts of a repeated string field.
    public func strings(_ texts: [String]) -> UnsafeMutablePointer<ProtobufCBinaryData>? {
      array(texts) { string($0) }
    }

    /// The values of a repeated bytes field.
    public func byteArrays(_ values: [[UInt8]]) -> UnsafeMutablePointer<ProtobufCBinaryData>? {
      array(values) { bytes($0) }
    }

    /// The values of a repeated field of numbers.
    @inlinable @inline(never)
    public func values<Value: BitwiseCopyable>(_ values: [Value]) -> UnsafeMutablePointer<Value>? {
      array(values) { $0 }
    }

    /// The values of a repeated bool field.
    public func booleans(_ values: [Bool]) -> UnsafeMutablePointer<protobuf_c_boolean>? {
      array(values) { $0 ? 1 : 0 }
    }

    /// The values of a repeated enum field, which is declared as int32 to protobuf-c.
    @inlinable @inline(never)
    public func enums<Value: ProtobufEnum>(_ values: [Value]) -> UnsafeMutablePointer<Int32>? {
      array(values) { $0.rawValue }
    }

    /// The C struct of a message field; null for an absent one.
    @inlinable @inline(never)
    public func message<Value: GeneratedMessage, Struct>(_ value: Value?) -> UnsafeMutablePointer<Struct>? {
      guard let value else { return nil }
      let raw = allocate(Value.layout)
      value.write(to: raw, self)
      return raw.assumingMemoryBound(to: Struct.self)
    }

    /// The C structs of a repeated message field.
    @inlinable @inline(never)
    public func messages<Value: GeneratedMessage, Struct>(
      _ values: [Value]
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Struct>?>? {
      array(values) { message($0) }
    }

    /// The C structs of a map field's entries, sorted by key.
    @inlinable @inline(never)
    public func map<Key: Hashable & Comparable, Value, Entry>(
      _ values: [Key: Value], _ layout: MessageLayout, _ fill: (Key, Value, inout Entry) -> Void
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>? {
      entries(values.sorted { $0.key < $1.key }, layout, fill)
    }

    /// The C structs of a map field's entries, false before true.
    @inlinable @inline(never)
    public func map<Value, Entry>(
      _ values: [Bool: Value], _ layout: MessageLayout, _ fill: (Bool, Value, inout Entry) -> Void
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>? {
      entries(values.sorted { !$0.key && $1.key }, layout, fill)
    }

    /// Puts back what was unknown when the message was decoded, behind its known fields.
    /// - Parameter base: the head of the C struct.
    public func unknownFields(_ fields: UnknownFields, _ base: inout ProtobufCMessage) {
      if !fields.isEmpty { fields.write(to: &base, self) }
    }

    /// A zeroed C struct.
    public func allocate(_ layout: MessageLayout) -> UnsafeMutableRawPointer {
      guard let raw = arena.pointee.allocate(layout.descriptor) else {
        preconditionFailure("an arena without budget ran out")
      }
      return raw
    }

    @usableFromInline
    func allocate(_ size: Int) -> UnsafeMutableRawPointer {
      guard let raw = arena.pointee.allocate(size) else { preconditionFailure("an arena without budget ran out") }
      return raw
    }

    private func copy(_ bytes: UnsafeRawBufferPointer) -> ProtobufCBinaryData {
      guard let start = bytes.baseAddress, bytes.count > 0 else { return ProtobufCBinaryData() }
      let raw = allocate(bytes.count)
      raw.copyMemory(from: start, byteCount: bytes.count)
      return ProtobufCBinaryData(len: bytes.count, data: raw.assumingMemoryBound(to: UInt8.self))
    }

    @inlinable @inline(never)
    func array<Value, Element>(_ values: [Value], _ convert: (Value) -> Element) -> UnsafeMutablePointer<Element>? {
      guard !values.isEmpty else { return nil }
      let start = allocate(values.count * MemoryLayout<Element>.stride)
        .bindMemory(to: Element.self, capacity: values.count)
      for (index, value) in values.enumerated() { (start + index).initialize(to: convert(value)) }
      return start
    }

    @inlinable @inline(never)
    func entries<Key, Value, Entry>(
      _ sorted: [(key: Key, value: Value)], _ layout: MessageLayout, _ fill: (Key, Value, inout Entry) -> Void
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>? {
      array(sorted) { item in
        let entry = allocate(layout).assumingMemoryBound(to: Entry.self)
        fill(item.key, item.value, &entry.pointee)
        return entry
      }
    }
  }
}
