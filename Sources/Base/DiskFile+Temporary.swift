internal import CLinux

extension DiskFile {
  /// A new file that has no name any more when this returns, in the folder for temporary files: what is in it goes away
  /// with the last reference, also by a crash. Blocks.
  public static func temporary() throws(FileError) -> DiskFile {
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    let name = SystemRandomSource().bytes(16).map { String($0, radix: 16) }.joined()
    let path = "\(folder)/octet-\(name)"
    let file = try DiskFile(path, .create)
    try DiskFolder.remove(path)
    return file
  }
}
