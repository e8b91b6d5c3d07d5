public import Base
import Cryptography
public import ProtobufRuntime
public import RPC
public import Storage

/// One page of a list: where it begins and how long it is.
///
///     let page = try kit.page(request, context)
///     let rows = try reader.rows(
///       "SELECT … WHERE rider = $1 AND id < $2 ORDER BY id DESC LIMIT $3", me, page.before, page.fetch, make: …)
///     let (rides, next) = page.cut(rows) { [$0.id.sqlValue] }
public struct Page: Sendable {
  /// How many items a page has when the client does not say.
  public static let defaultSize = 50
  /// The most a client can ask for.
  public static let sizeLimit = 500

  /// How many items the page has at most.
  public let size: Int
  /// The key of the last item of the page before; nil for the first page.
  public let after: [SQLValue]?
  private let keys: ServerKeys
  private let query: [UInt8]

  fileprivate init(size: Int, after: [SQLValue]?, keys: ServerKeys, query: [UInt8]) {
    self.size = size
    self.after = after
    self.keys = keys
    self.query = query
  }

  /// How many rows to fetch: one more than the page has, which tells whether there is another page.
  public var fetch: Int { size + 1 }

  /// For lists in falling order of one id: the rows of this page have smaller ones.
  public var before: Identifier {
    if case .integer(let id) = after?.first { Identifier(rawValue: id) } else { Identifier(rawValue: .max) }
  }

  /// For lists in rising order of one id: the rows of this page have greater ones.
  public var lastID: Identifier {
    if case .integer(let id) = after?.first { Identifier(rawValue: id) } else { Identifier(rawValue: .min) }
  }

  /// The token of a page that begins after a key.
  public func token(after key: [SQLValue]) -> String { PageToken.encode(key, query: query, keys: keys) }

  /// Cuts the fetched rows to the page, and makes the token of the next one; empty if there is none.
  /// - Parameter key: the values that the query orders by: integers and texts.
  public func cut<Item>(_ rows: [Item], key: (Item) -> [SQLValue]) -> (items: [Item], nextPageToken: String) {
    guard rows.count > size else { return (rows, "") }
    return (Array(rows[..<size]), token(after: key(rows[size - 1])))
  }
}

extension Kit {
  /// The page that a request asks for.
  ///
  /// A token is good for the same caller, method and request only: whatever there is in it beside size and token may
  /// decide what is listed, so nothing needs to be named here, and no field that is added later is forgotten.
  /// - Throws: `KitError.badPageToken`.
  public func page(_ request: some PagedRequest, _ context: ServerContext) throws(KitError) -> Page {
    let caller = SQLValue.integer(context.caller?.user.rawValue ?? 0)
    var asked = request
    asked.pageSize = 0
    asked.pageToken = ""
    let query = PageToken.bytes([.text(context.method.path), caller, .blob(asked.encoded())])
    let wanted = request.pageSize <= 0 ? Page.defaultSize : min(Int(request.pageSize), Page.sizeLimit)
    var after: [SQLValue]?
    if !request.pageToken.isEmpty {
      guard let values = PageToken.decode(request.pageToken, query: query, keys: keys) else { throw .badPageToken }
      after = values
    }
    return Page(size: wanted, after: after, keys: keys, query: query)
  }
}

/// The text of a page token: base 64 of a MAC and the last key. The MAC covers the query too, which is not in the text.
enum PageToken {
  private static let macLength = 16
  private static let version: UInt8 = 1

  static func encode(_ key: [SQLValue], query: [UInt8], keys: ServerKeys) -> String {
    let payload = [version] + bytes(key)
    return Base64.url.encode(mac(payload, query, keys) + payload)
  }

  /// Nil for a token that this server has not made for this query.
  static func decode(_ text: String, query: [UInt8], keys: ServerKeys) -> [SQLValue]? {
    guard let all = Base64.url.decode(text), all.count > macLength else { return nil }
    let payload = Array(all[macLength...])
    guard isEqualInConstantTime(Array(all[..<macLength]), mac(payload, query, keys)), payload[0] == version else {
      return nil
    }
    return values(payload.dropFirst())
  }

  private static func mac(_ payload: [UInt8], _ query: [UInt8], _ keys: ServerKeys) -> [UInt8] {
    keys.pageMAC(Int64(query.count).bigEndianBytes + query + payload)
  }

  /// Each value as a tag and 8 octets, or a tag, a length in 8 octets and the text.
  static func bytes(_ values: [SQLValue]) -> [UInt8] {
    values.flatMap { value -> [UInt8] in
      switch value {
      case .null: return [0]
      case .integer(let number): return [1] + number.bigEndianBytes
      case .text(let text): return [2] + Int64(text.utf8.count).bigEndianBytes + Array(text.utf8)
      case .blob(let blob): return [3] + Int64(blob.count).bigEndianBytes + blob
      case .double(let number): return [4] + Int64(bitPattern: number.bitPattern).bigEndianBytes
      }
    }
  }

  /// The reverse of `bytes`. The MAC was right, so a malformed payload is a bug; it still only gives nil.
  private static func values(_ bytes: ArraySlice<UInt8>) -> [SQLValue]? {
    var rest = bytes
    var values: [SQLValue] = []
    while let tag = rest.popFirst() {
      if tag == 0 {
        values.append(.null)
        continue
      }
      guard rest.count >= 8 else { return nil }
      let number = Int64(bigEndian: rest.prefix(8))
      rest = rest.dropFirst(8)
      switch tag {
      case 1: values.append(.integer(number))
      case 4: values.append(.double(Double(bitPattern: UInt64(bitPattern: number))))
      case 2, 3:
        guard number >= 0, number <= rest.count else { return nil }
        let content = Array(rest.prefix(Int(number)))
        rest = rest.dropFirst(Int(number))
        values.append(tag == 2 ? .text(String(decoding: content, as: UTF8.self)) : .blob(content))
      default: return nil
      }
    }
    return values
  }
}
