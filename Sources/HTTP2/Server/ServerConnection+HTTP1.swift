extension ServerConnection {
  /// Tells an HTTP/1 client what this port speaks, and ends the connection.
  func answerHTTP1() {
    let text = "This port speaks HTTP/2 only: gRPC, or curl --http2-prior-knowledge.\n"
    let answer = """
      HTTP/1.1 505 HTTP Version Not Supported\r
      Content-Type: text/plain\r
      Content-Length: \(text.utf8.count)\r
      Connection: close\r
      \r
      \(text)
      """
    // A fresh socket takes so few octets; one that does not belongs to a peer who will not read them either.
    _ = try? Array(answer.utf8).withUnsafeBytes { try channel.write($0) }
    finish()
  }
}
