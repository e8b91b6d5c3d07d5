/// A request as it is sent: everything in memory, a part of a blob at most.
struct HTTPRequest: Sendable {
  var method: String
  var url: String
  var headers: [(String, String)]
  var body: [UInt8] = []
  /// The most that is taken of the answer's body, in bytes.
  var answerBytes: Int
}

/// A whole answer.
struct HTTPResponse: Sendable {
  var status: Int
  /// Names in lower case.
  var headers: [String: String]
  var body: [UInt8]
}

/// No answer came. Says nothing of addresses.
struct HTTPFailure: Error, Equatable {
  let message: String
}
