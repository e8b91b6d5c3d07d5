import Dispatch
import Glibc

/// What is done when the person at the terminal presses Ctrl-C, before the program ends as that wants it.
final class Interruption {
  private let source: any DispatchSourceSignal

  init(_ body: @escaping @Sendable () -> Void) {
    // The source is told of signals that are ignored as well, and nothing else then ends the program.
    signal(SIGINT, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler {
      body()
      exit(128 + SIGINT)
    }
    source.resume()
  }

  deinit {
    source.cancel()
    signal(SIGINT, SIG_DFL)
  }
}
