/// What a client of the web protocols can make the server hold, beside the limits of the RPC core and the transport.
public struct WebLimits: Sendable {
  /// The greatest length in bytes of one request message before it becomes protobuf, compressed and decompressed: the
  /// core's own default. A message in JSON is mostly longer than in protobuf, so that JSON meets this limit first.
  public var messageBytes: Int
  /// How many values and keys one request message in JSON may have. Each takes some hundred nanoseconds of an event loop
  /// and dozens of bytes of memory, and can be two bytes long: without this limit a message of 4 MiB would hold up the
  /// calls of all others for a third of a second.
  public var jsonValues: Int
  /// How many bytes of unfinished requests are held, over all calls, and of messages by which those in JSON that came
  /// compressed are longer now. They come before anybody is authenticated, and a
  /// client may begin thousands of them and end none.
  public var gatheredBytes: Int
  /// How long the end of an answer may wait for the end of the request. A client that is still sending has to be told to
  /// stop (RST_STREAM), and curl, as of Debian 12 still, then throws the answer away unread.
  public var lateBodyTime: Duration
  /// How many bytes of such a request are read and thrown away meanwhile: four times the longest message.
  public var lateBodyBytes: Int
  /// Whether keys and enum names in JSON that a message does not know are passed over. By default they are refused, so
  /// that a mistyped name is not taken for a missing one.
  public var ignoresUnknownJSONFields: Bool

  public init(
    messageBytes: Int = 4 << 20, jsonValues: Int = 100_000, gatheredBytes: Int = 256 << 20,
    lateBodyTime: Duration = .seconds(5), lateBodyBytes: Int = 16 << 20, ignoresUnknownJSONFields: Bool = false
  ) {
    self.messageBytes = messageBytes
    self.jsonValues = jsonValues
    self.gatheredBytes = gatheredBytes
    self.lateBodyTime = lateBodyTime
    self.lateBodyBytes = lateBodyBytes
    self.ignoresUnknownJSONFields = ignoresUnknownJSONFields
  }
}
