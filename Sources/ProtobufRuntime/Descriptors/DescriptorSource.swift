internal import CDescriptor
internal import CProtobufC

/// Where in a file a descriptor is being made: what its path is, whose name is around it, what comments there are.
struct DescriptorSource {
  /// Name of the file.
  let file: String
  let isProto2: Bool
  private let comments: [[Int32]: String]
  /// The path of SourceCodeInfo: field numbers and indexes in FileDescriptorProto.
  private(set) var path: [Int32] = []
  /// Full name of what is around, empty at the top of a file without package.
  private(set) var scope: String

  init(file: String, package: String, isProto2: Bool, comments: [[Int32]: String]) {
    self.file = file
    self.isProto2 = isProto2
    self.comments = comments
    scope = package
  }

  /// The comment before what `path` leads to; empty if there is none.
  var comment: String { comments[path] ?? "" }

  /// The full name of `name` here.
  func fullName(_ name: String) -> String { scope.isEmpty ? name : scope + "." + name }

  /// The source of the item at `index` of the list with the field number `number`.
  func item(_ number: Int32, _ index: Int) -> DescriptorSource {
    var item = self
    item.path += [number, Int32(index)]
    return item
  }

  /// The source of what lies inside of the message, enum or service `name`, which is here.
  func inside(_ name: String) -> DescriptorSource {
    var inside = self
    inside.scope = fullName(name)
    return inside
  }
}

extension DescriptorSource {
  /// The leading comments of a file by path.
  static func comments(_ info: UnsafePointer<Google__Protobuf__SourceCodeInfo>?) -> [[Int32]: String] {
    guard let info = info?.pointee else { return [:] }
    var comments: [[Int32]: String] = [:]
    for location in pointees(info.n_location, info.location) {
      guard let text = location.pointee.leading_comments else { continue }
      let path = Array(UnsafeBufferPointer(start: location.pointee.path, count: location.pointee.n_path))
      comments[path] = cleaned(String(cString: text))
    }
    return comments
  }

  /// protoc keeps the blank that follows `//` and the last line's end.
  private static func cleaned(_ comment: String) -> String {
    var lines = comment.split(separator: "\n", omittingEmptySubsequences: false)
    for index in lines.indices where lines[index].first == " " { lines[index].removeFirst() }
    while lines.last == "" { lines.removeLast() }
    return lines.joined(separator: "\n")
  }
}

/// The items of one of protobuf-c's lists of messages.
func pointees<T>(_ count: Int, _ list: UnsafeMutablePointer<UnsafeMutablePointer<T>?>?) -> [UnsafePointer<T>] {
  UnsafeBufferPointer(start: list, count: list == nil ? 0 : count).compactMap { UnsafePointer($0) }
}

/// The items of one of protobuf-c's lists of strings.
func texts(_ count: Int, _ list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> [String] {
  pointees(count, list).map { String(cString: $0) }
}

/// One of protobuf-c's strings; nil if it is absent.
func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String? {
  pointer.map { String(cString: $0) }
}

/// A full name without the dot that marks it as one. (protoc writes no other kind.)
func fullName(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
  let name = text(pointer) ?? ""
  return name.first == "." ? String(name.dropFirst()) : name
}

/// The fields of an options message that descriptor.proto does not know: the custom options, in wire form.
func customOptions(_ message: ProtobufCMessage?) -> [UInt8] {
  guard let message else { return [] }
  var writer = WireWriter()
  for field in UnsafeBufferPointer(start: message.unknown_fields, count: Int(message.n_unknown_fields)) {
    writer.varint(UInt64(field.tag) << 3 | UInt64(field.wire_type.rawValue))
    // protobuf-c leaves the length in front of a length-delimited value.
    writer.raw(UnsafeBufferPointer(start: field.data, count: field.len))
  }
  return writer.bytes
}
