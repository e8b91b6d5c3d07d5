internal import CLinux

/// A connected socket, in the clear or under TLS. Confined to a loop.
final class ByteChannel {
  enum Outcome: Equatable {
    case moved(Int)
    case wouldBlock
    /// The peer has closed its direction.
    case end
  }

  let descriptor: Descriptor
  let tls: TLSSession?

  init(_ descriptor: consuming Descriptor, tls context: TLSContext?, serverName: String? = nil) throws(TLSError) {
    let number = descriptor.number
    self.descriptor = descriptor
    tls = if let context { try TLSSession(context, descriptor: number, serverName: serverName) } else { nil }
  }

  /// Receives into `buffer`; under TLS as many records as fit and are there.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(ChannelError) -> Outcome {
    if let tls { return try tls.read(into: buffer) }
    do throws(SystemError) {
      let number = descriptor.number
      let count = try syscallOrWouldBlock("recv") { recv(number, buffer.baseAddress, buffer.count, 0) }
      guard let count else { return .wouldBlock }
      return count == 0 ? .end : .moved(count)
    } catch {
      throw .system(error)
    }
  }

  /// Whether octets have left the socket that `read` has not given out yet: epoll does not tell of them.
  var hasPending: Bool { tls?.hasPending ?? false }

  /// Sends what the socket takes now of `bytes`, which are not empty.
  func write(_ bytes: UnsafeRawBufferPointer) throws(ChannelError) -> Outcome {
    if let tls { return try tls.write(bytes) }
    do throws(SystemError) {
      let number = descriptor.number
      let count = try syscallOrWouldBlock("send") {
        send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      }
      guard let count else { return .wouldBlock }
      return .moved(count)
    } catch {
      throw .system(error)
    }
  }

  /// Sends what the socket takes now of a part of an array, which is not empty.
  func write(_ bytes: [UInt8], _ range: Range<Int>) throws(ChannelError) -> Outcome {
    let result: Result<Outcome, ChannelError> = bytes.withUnsafeBytes { bytes in
      Result { () throws(ChannelError) in try write(UnsafeRawBufferPointer(rebasing: bytes[range])) }
    }
    return try result.get()
  }

  /// Whether octets can be sent from several places at once.
  var takesVectors: Bool { tls == nil }

  /// Sends what the socket takes now of octets that lie in several places, from that of number `first` on. Not under TLS.
  func write(_ vectors: inout [iovec], from first: Int) throws(ChannelError) -> Outcome {
    let number = descriptor.number
    let count = vectors.count - first
    let result: Result<Int?, SystemError> = vectors.withUnsafeMutableBufferPointer { vectors in
      var message = msghdr()
      message.msg_iov = vectors.baseAddress.map { $0 + first }
      message.msg_iovlen = min(count, HTTP2Limits.vectorsPerWrite)
      return Result { () throws(SystemError) in
        try syscallOrWouldBlock("sendmsg") { sendmsg(number, &message, Int32(MSG_NOSIGNAL)) }
      }
    }
    switch result {
    case .success(let moved): return moved.map { .moved($0) } ?? .wouldBlock
    case .failure(let error): throw .system(error)
    }
  }

  /// Says that nothing more will be sent.
  func finishWriting() {
    tls?.sendCloseNotify()
    // Fails if the peer is gone, which is just as well.
    _ = shutdown(descriptor.number, Int32(SHUT_WR))
  }
}

/// Why a channel broke.
enum ChannelError: Error, CustomStringConvertible {
  case system(SystemError)
  case tls(TLSError)

  var description: String {
    switch self {
    case .system(let error): error.description
    case .tls(let error): error.description
    }
  }
}
