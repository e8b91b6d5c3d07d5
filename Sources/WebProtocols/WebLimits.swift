/// What a client of the web protocols can make the server hold, beside the limits of the RPC core and the transport.
public struct WebLimits: Sendable {
  /// The greatest length in bytes of one request message before it becomes protobuf, compressed and decompressed: the
  /// core's own default. A message in JSON is mostly longer than in protobuf, so that JSON meets this limit first.
  public var messageBytes: Int
  /// How many bytes of unfinished requests are held, over all calls. They come before anybody is authenticated, and a
  /// client may begin thousands of them and end none.
  public var gatheredBytes: Int
  /// Whether keys and enum names in JSON that a message does not know are passed over. By default they are refused, so
  /// that a mistyped name is not taken for a missing one.
  public var ignoresUnknownJSONFields: Bool

  public init(
    messageBytes: Int = 4 << 20, gatheredBytes: Int = 256 << 20,
    ignoresUnknownJSONFields: Bool = false
  ) {
    self.messageBytes = messageBytes
    self.gatheredBytes = gatheredBytes
    self.ignoresUnknownJSONFields = ignoresUnknownJSONFields
  }
}
