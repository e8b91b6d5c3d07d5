/// What is sent: everything in memory, a part of a blob at most.
package struct CurlRequest: Sendable {
  package enum Content: Sendable {
    case http(method: String, headers: [(String, String)], body: [UInt8], type: String)
    /// A mail to one address. The body is the whole message, its lines ended by CR and LF.
    case mail(from: String, to: String, body: [UInt8], login: CurlLogin?, needsTLS: Bool)
  }

  package var url: String
  package var content: Content
  /// The most that is taken of the answer's body, in bytes.
  package var answerBytes: Int

  package init(url: String, _ content: Content, answerBytes: Int) {
    self.url = url
    self.content = content
    self.answerBytes = answerBytes
  }
}

/// Who sends a mail.
package struct CurlLogin: Sendable {
  package let user: String
  package let password: String

  package init(user: String, password: String) {
    self.user = user
    self.password = password
  }
}

/// A whole answer.
package struct CurlResponse: Sendable {
  package var status: Int
  /// Names in lower case.
  package var headers: [String: String]
  package var body: [UInt8]
}

/// No answer came, or to a mail one that does not take it. Says nothing of addresses.
package struct CurlFailure: Error, Equatable {
  package let message: String
  /// What the server last said, of its protocol's numbers; 0 if it said nothing.
  package let status: Int
  /// Whether the server turned down a mail (its sender, its receiver or its text) and not whoever brings it.
  package let isMailRefused: Bool
}

/// Nothing was sent.
package enum CurlRefusal: Error, Equatable {
  /// So many requests are under way already.
  case overloaded(Int)
  case closed
}

/// How patiently servers are asked.
package struct CurlOptions: Sendable {
  /// Of the client's thread.
  package var name: String
  /// How many requests may be under way or wait.
  package var requests: Int
  /// How many connections there are at once.
  package var connections: Int
  /// For the connection to be made, including TLS.
  package var connectTimeout: Duration
  /// For one attempt as a whole.
  package var attemptTimeout: Duration
  /// How long nothing may come or go during an attempt, in whole seconds.
  package var stallTimeout: Duration
  /// A file of certificates to trust in place of the system's.
  package var certificates: String?
  /// Where to connect, whatever the URL says; nil: where the URL says.
  package var place: CurlPlace?
  /// Off only where a person has said so, who is asked by nobody else.
  package var checksCertificates = true

  package init(
    name: String, requests: Int, connections: Int, connectTimeout: Duration, attemptTimeout: Duration,
    stallTimeout: Duration, certificates: String?
  ) {
    self.name = name
    self.requests = requests
    self.connections = connections
    self.connectTimeout = connectTimeout
    self.attemptTimeout = attemptTimeout
    self.stallTimeout = stallTimeout
    self.certificates = certificates
  }
}

/// Where a server is, if that is not in the URL.
package enum CurlPlace: Sendable {
  /// `HOST:PORT`.
  case address(String)
  /// A socket in the file system.
  case socket(String)
  /// A socket in Linux's abstract namespace, without the zero octet.
  case abstractSocket(String)
}

/// What a server may send.
enum CurlLimits {
  /// Fields of an answer's head; servers send a dozen or two. curl bounds their bytes.
  static let headers = 100
}
