/// JSON as it is, for configuration that no message describes.
package enum JSONValue: Sendable, Equatable {
  case object([String: JSONValue])
  case array([JSONValue])
  case string(String)
  /// As it was written.
  case number(String)
  case bool(Bool)
  case null

  /// Reads a text (RFC 8259, UTF-8) that is one value.
  /// - Throws: for what is no JSON, for a key that stands twice in an object, and for values nested too deeply.
  package init(parsing text: String) throws(JSONError) {
    var lexer = JSONLexer(Array(text.utf8))
    do throws(JSONFailure) {
      let value = try Self.value(&lexer, depth: 0)
      try lexer.expect(.end)
      self = value
    } catch {
      throw JSONError(reason: error.reason, path: "", offset: lexer.tokenStart)
    }
  }

  private static func value(_ lexer: inout JSONLexer, depth: Int) throws(JSONFailure) -> JSONValue {
    guard depth <= DecodeLimits.configuration else { throw JSONFailure(.tooDeep) }
    let token = try lexer.next()
    var isFirst = true
    switch token {
    case .beginObject:
      var members: [String: JSONValue] = [:]
      while let key = try lexer.nextKey(isFirst: &isFirst) {
        guard members.updateValue(try value(&lexer, depth: depth + 1), forKey: key) == nil else {
          throw .value("\"\(key)\" stands twice")
        }
      }
      return .object(members)
    case .beginArray:
      var items: [JSONValue] = []
      while try lexer.nextItem(isFirst: &isFirst) { items.append(try value(&lexer, depth: depth + 1)) }
      return .array(items)
    case .string(let text): return .string(text)
    case .number(let text): return .number(text)
    case .true: return .bool(true)
    case .false: return .bool(false)
    case .null: return .null
    default: throw .syntax("expected a value, found \(token.name)")
    }
  }

  /// A duration in the form of google.protobuf.Duration (`1.5s`); also without a digit before the point, as service
  /// configs often have it. nil for anything else.
  package var duration: Duration? {
    guard case .string(let text) = self,
      let parts = SecondsAndNanos(duration: text.hasPrefix(".") ? "0" + text : text)
    else { return nil }
    return .seconds(parts.seconds) + .nanoseconds(Int64(parts.nanos))
  }
}
