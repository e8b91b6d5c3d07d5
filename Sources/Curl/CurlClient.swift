internal import Base
internal import CCurl

/// Sends requests with curl's multi interface, all on one thread.
package final class CurlClient: Sendable {
  private let shared: Shared
  private let thread: OSThread

  /// What the thread and its callers share.
  private final class Shared: @unchecked Sendable {
    struct State {
      var waiting: [(CurlRequest, CurlTransfer.Continuation)] = []
      /// Waiting and under way.
      var count = 0
      var isClosed = false
      /// The thread has let go of curl.
      var isEnded = false
    }

    // Unchecked because of the pointer: curl allows `curl_multi_wakeup` from any thread, all else is the thread's.
    let multi: UnsafeMutableRawPointer
    let state = Locked(State())

    init() {
      guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK, let multi = curl_multi_init() else {
        fatalError("curl cannot start")
      }
      self.multi = multi
    }
  }

  private let limit: Int

  package init(options: CurlOptions) {
    let shared = Shared()
    self.shared = shared
    limit = options.requests
    thread = OSThread(name: options.name) { CurlLoop(shared.multi, options: options).run(shared) }
  }

  deinit {
    close()
  }

  /// Sends a request and waits for the whole answer.
  /// - Throws: `CurlFailure` if none came, `CurlRefusal`.
  package func send(_ request: CurlRequest) async throws -> CurlResponse {
    try await withUnsafeThrowingContinuation { continuation in
      let refusal: CurlRefusal? = shared.state.withLock { state in
        if state.isClosed { return .closed }
        if state.count >= limit { return .overloaded(limit) }
        state.count += 1
        state.waiting.append((request, continuation))
        curl_multi_wakeup(shared.multi)
        return nil
      }
      if let refusal { continuation.resume(throwing: refusal) }
    }
  }

  /// Refuses further requests; those under way are finished first.
  package func close() {
    shared.state.withLock { state in
      state.isClosed = true
      if !state.isEnded { curl_multi_wakeup(shared.multi) }
    }
  }

  /// The thread's own state.
  private final class CurlLoop {
    private let multi: UnsafeMutableRawPointer
    private let options: CurlOptions
    private var transfers: [UnsafeMutableRawPointer: CurlTransfer] = [:]
    private var idle: [UnsafeMutableRawPointer] = []

    init(_ multi: UnsafeMutableRawPointer, options: CurlOptions) {
      self.multi = multi
      self.options = options
    }

    func run(_ shared: Shared) {
      octet_curl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, options.connections)
      octet_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, options.connections)
      while true {
        let (waiting, isClosed) = shared.state.withLock { state in
          defer { state.waiting = [] }
          return (state.waiting, state.isClosed)
        }
        for (request, continuation) in waiting { begin(request, continuation) }
        var running: Int32 = 0
        curl_multi_perform(multi, &running)
        let done = finishDone()
        let isIdle = shared.state.withLock { state in
          state.count -= done
          return state.count == 0
        }
        if isClosed && isIdle { break }
        if done == 0 { curl_multi_poll(multi, nil, 0, 1000, nil) }
      }
      shared.state.withLock { state in
        state.isEnded = true
        for handle in idle { curl_easy_cleanup(handle) }
        curl_multi_cleanup(multi)
      }
    }

    private func begin(_ request: CurlRequest, _ continuation: CurlTransfer.Continuation) {
      guard let handle = idle.popLast() ?? curl_easy_init() else { fatalError("no memory for a request") }
      let transfer = CurlTransfer(request, options: options, handle: handle, continuation: continuation)
      transfers[handle] = transfer
      let code = curl_multi_add_handle(multi, handle)
      precondition(code == CURLM_OK, "curl takes no request: \(code.rawValue)")
    }

    private func finishDone() -> Int {
      var count = 0
      var handle: UnsafeMutableRawPointer?
      var code = CURLE_OK
      while octet_curl_next_done(multi, &handle, &code) == 1 {
        guard let handle, let transfer = transfers.removeValue(forKey: handle) else { continue }
        transfer.finish(code)
        curl_multi_remove_handle(multi, handle)
        curl_easy_reset(handle)
        idle.append(handle)
        count += 1
      }
      return count
    }
  }
}
