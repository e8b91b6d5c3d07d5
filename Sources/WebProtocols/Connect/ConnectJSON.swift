internal import Base
internal import ProtobufRuntime
internal import RPC

/// The JSON that Connect itself defines: errors, and the last message of a stream.
struct ConnectJSON {
  /// Shows the details that it knows in readable form.
  let codec: JSONCodec

  /// An error, as the body of a unary answer.
  func error(_ error: RPCError) -> [UInt8] {
    var output = JSONOutput()
    write(error, to: &output)
    return output.bytes
  }

  /// An EndStreamResponse.
  /// - Parameter trailers: the metadata; those of gRPC itself are left out.
  func endOfStream(_ error: RPCError?, trailers: HeaderList) -> [UInt8] {
    var output = JSONOutput()
    output.beginObject()
    if let error {
      output.key("error")
      write(error, to: &output)
    }
    writeMetadata(trailers, to: &output)
    output.endObject()
    return output.bytes
  }

  private func write(_ error: RPCError, to output: inout JSONOutput) {
    output.beginObject()
    output.key("code")
    output.string(error.code.connectName)
    if !error.message.isEmpty {
      output.key("message")
      output.string(error.message)
    }
    if !error.details.isEmpty {
      output.key("details")
      output.beginArray()
      for detail in error.details { write(detail, to: &output) }
      output.endArray()
    }
    output.endObject()
  }

  private func write(_ detail: ErrorDetail, to output: inout JSONOutput) {
    // The name alone, without the host that Any puts before it.
    let type = String(detail.typeURL.split(separator: "/").last ?? "")
    output.beginObject()
    output.key("type")
    output.string(type)
    output.key("value")
    output.string(Base64.standard.encode(detail.value))
    if let readable = try? codec.json(fromWire: detail.value, type: type) {
      output.key("debug")
      output.literal(String(decoding: readable, as: UTF8.self))
    }
    output.endObject()
  }

  private func writeMetadata(_ trailers: HeaderList, to output: inout JSONOutput) {
    var values: [(name: String, values: [String])] = []
    for field in trailers {
      let name = trailers.name(of: field)
      guard ConnectHead.isMetadata(name) else { continue }
      if let index = values.firstIndex(where: { $0.name == name }) {
        values[index].values.append(trailers.value(of: field))
      } else {
        values.append((name, [trailers.value(of: field)]))
      }
    }
    guard !values.isEmpty else { return }
    output.key("metadata")
    output.beginObject()
    for (name, values) in values {
      output.key(name)
      output.beginArray()
      for value in values { output.string(value) }
      output.endArray()
    }
    output.endObject()
  }
}
