import CLibFuzzer
import Glibc

/// What libFuzzer's callback, which takes no context, is to run.
enum Chosen {
  // Set once, before libFuzzer starts, and only read then.
  nonisolated(unsafe) static var target = FuzzTarget.all[0]
}

let arguments = CommandLine.arguments
guard arguments.count > 1, let target = FuzzTarget.all.first(where: { $0.name == arguments[1] }) else {
  print("usage: octet-fuzz TARGET [libFuzzer's options and corpora]")
  print("targets: \(FuzzTarget.all.map(\.name).joined(separator: " "))")
  exit(64)
}
Chosen.target = target

// libFuzzer keeps the pointers until the end of the process.
var words: [UnsafeMutablePointer<CChar>?] = ([arguments[0]] + arguments.dropFirst(2)).map { strdup($0) } + [nil]
var count = Int32(words.count - 1)
let result = words.withUnsafeMutableBufferPointer { words in
  var start = words.baseAddress
  return LLVMFuzzerRunDriver(&count, &start) { octets, size in
    do {
      try Chosen.target.run(Array(UnsafeBufferPointer(start: octets, count: size)))
    } catch {
      fatalError("\(error)")
    }
    return 0
  }
}
exit(result)
