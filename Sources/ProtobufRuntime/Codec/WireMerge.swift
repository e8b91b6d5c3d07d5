internal import CProtobufC

/// Joins the parts of singular message fields that come in several pieces.
///
/// Protobuf says that such parts are merged, and that merging is the same as reading their concatenation. protobuf-c
/// has a merge of its own, but it reads out of bounds when a oneof is unset in both parts and forgets scalars. Rare,
/// so it may cost copies; they are charged to the arena's budget.
struct WireMerge {
  let arena: UnsafeMutablePointer<Arena>

  /// The same message with each singular message field in one piece. The result lives as long as the arena's
  /// content. The input has passed `WireCheck`.
  func merged(
    _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>
  ) throws(DecodeError) -> UnsafeRawBufferPointer {
    let result = try merge(bytes, descriptor)
    guard let copy = arena.pointee.allocate(result.count) else { throw .overBudget }
    result.withUnsafeBytes { source in
      if let start = source.baseAddress { copy.copyMemory(from: start, byteCount: source.count) }
    }
    return UnsafeRawBufferPointer(start: copy, count: result.count)
  }

  private func merge(
    _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>
  ) throws(DecodeError) -> [UInt8] {
    guard bytes.count <= arena.pointee.budget else { throw .overBudget }
    arena.pointee.budget -= bytes.count
    var writer = WireWriter()
    /// By index of field: the parts that count so far.
    var parts: [Int: [UInt8]] = [:]
    var cursor = WireCursor(bytes)
    while try cursor.advance() {
      guard let index = fieldIndex(of: cursor.number, in: descriptor) else {
        writer.raw(cursor.record)
        continue
      }
      let field = descriptor.pointee.fields + index
      if field.pointee.isInOneof {
        // Another member of the oneof ends what came before.
        parts = parts.filter {
          $0.key == index || !descriptor.pointee.fields[$0.key].isInSameOneof(as: field.pointee)
        }
      }
      if field.pointee.type != PROTOBUF_C_TYPE_MESSAGE {
        writer.raw(cursor.record)
      } else if field.pointee.label == PROTOBUF_C_LABEL_REPEATED {
        write(cursor.number, try merge(cursor.payload, messageDescriptor(of: field)), to: &writer)
      } else {
        parts[index, default: []].append(contentsOf: cursor.payload)
      }
    }
    for (index, payload) in parts.sorted(by: { $0.key < $1.key }) {
      let field = descriptor.pointee.fields + index
      let whole = try payload.span.bytes.withUnsafeBytes { bytes throws(DecodeError) in
        try merge(bytes, messageDescriptor(of: field))
      }
      write(field.pointee.id, whole, to: &writer)
    }
    return writer.bytes
  }

  private func write(_ number: UInt32, _ payload: [UInt8], to writer: inout WireWriter) {
    writer.varint(UInt64(number) << 3 | UInt64(WireType.lengthDelimited.rawValue))
    writer.lengthDelimited(payload)
  }
}

extension ProtobufCFieldDescriptor {
  var isInOneof: Bool { flags & PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue != 0 }

  /// The members of a oneof share the place that says which of them is set.
  func isInSameOneof(as other: ProtobufCFieldDescriptor) -> Bool {
    isInOneof && other.isInOneof && quantifier_offset == other.quantifier_offset
  }
}
