internal import CLinux

/// How many descriptors the process may have open.
public enum OpenFiles {
  /// Raises the limit to what the system allows the process: systems start programs with 1024, for the sake of `select`,
  /// and a server with 10,000 connections needs more.
  /// - Returns: the limit from now on.
  @discardableResult
  public static func raiseLimit() -> Int { Int(clamping: octet_raise_open_files()) }
}
