import CSQLite
import Glibc

/// A SQLite VFS that asks a `FaultDisk` before it does what the operating system's VFS does.
///
/// It is registered for as long as it lives. Shared memory and locks are the system's own: they are no disk.
final class FaultSystem {
  let name: String
  private let disk: FaultDisk
  private let system: UnsafeMutablePointer<sqlite3_vfs>
  private let nameBytes: UnsafeMutablePointer<CChar>

  init(name: String, disk: FaultDisk) {
    self.name = name
    self.disk = disk
    nameBytes = strdup(name)
    sqlite3_initialize()
    let real = FaultSystem.real
    system = .allocate(capacity: 1)
    var copy = real.pointee
    copy.pNext = nil
    copy.zName = UnsafePointer(nameBytes)
    copy.szOsFile = Int32(FaultFile.size) + real.pointee.szOsFile
    copy.pAppData = Unmanaged.passUnretained(disk).toOpaque()
    copy.xOpen = { system, name, file, flags, outFlags in
      FaultFile.open(system!.pointee.pAppData!, name, file!, flags, outFlags)
    }
    copy.xDelete = { system, name, syncs in
      let disk = Unmanaged<FaultDisk>.fromOpaque(system!.pointee.pAppData!).takeUnretainedValue()
      guard disk.next(.other) == .works else { return SQLITE_IOERR | (10 << 8) }
      disk.deleted(String(cString: name!))
      return FaultSystem.real.pointee.xDelete(FaultSystem.real, name, syncs)
    }
    system.initialize(to: copy)
    sqlite3_vfs_register(system, 0)
  }

  deinit {
    sqlite3_vfs_unregister(system)
    system.deallocate()
    free(nameBytes)
  }

  /// The operating system's VFS.
  nonisolated(unsafe) static let real: UnsafeMutablePointer<sqlite3_vfs> = sqlite3_vfs_find("unix")!
}

/// An open file of the faulty disk: a header, behind which the real VFS keeps its own.
private struct FaultFile {
  // What SQLite looks at comes first.
  var base: sqlite3_file
  var disk: Unmanaged<FaultDisk>
  var path: Unmanaged<PathBox>

  final class PathBox {
    let path: String
    init(_ path: String) { self.path = path }
  }

  /// Of the header; a multiple of 16, so that what follows is aligned.
  static let size = (MemoryLayout<FaultFile>.size + 15) / 16 * 16

  static func real(_ file: UnsafeMutablePointer<sqlite3_file>?) -> UnsafeMutablePointer<sqlite3_file> {
    (UnsafeMutableRawPointer(file!) + size).assumingMemoryBound(to: sqlite3_file.self)
  }

  static func disk(_ file: UnsafeMutablePointer<sqlite3_file>?) -> FaultDisk {
    UnsafeMutableRawPointer(file!).assumingMemoryBound(to: FaultFile.self).pointee.disk.takeUnretainedValue()
  }

  static func path(_ file: UnsafeMutablePointer<sqlite3_file>?) -> String {
    UnsafeMutableRawPointer(file!).assumingMemoryBound(to: FaultFile.self).pointee.path.takeUnretainedValue().path
  }

  /// Tells this opening of a file from others.
  static func opening(_ file: UnsafeMutablePointer<sqlite3_file>?) -> UInt { UInt(bitPattern: file) }

  static func open(
    _ context: UnsafeMutableRawPointer, _ name: UnsafePointer<CChar>?, _ file: UnsafeMutablePointer<sqlite3_file>,
    _ flags: Int32, _ outFlags: UnsafeMutablePointer<Int32>?
  ) -> Int32 {
    file.pointee.pMethods = nil
    let disk = Unmanaged<FaultDisk>.fromOpaque(context)
    if disk.takeUnretainedValue().isDead { return SQLITE_CANTOPEN }
    let result = FaultSystem.real.pointee.xOpen(FaultSystem.real, name, real(file), flags, outFlags)
    guard result == SQLITE_OK else { return result }
    let path = name.map { String(cString: $0) } ?? ""
    disk.takeUnretainedValue().opened(path, opening(file))
    UnsafeMutableRawPointer(file).initializeMemory(
      as: FaultFile.self,
      to: FaultFile(
        base: sqlite3_file(pMethods: methods), disk: disk, path: Unmanaged.passRetained(PathBox(path))))
    return SQLITE_OK
  }

  static func write(
    _ file: UnsafeMutablePointer<sqlite3_file>?, _ bytes: UnsafeRawPointer?, _ count: Int32, _ offset: sqlite3_int64
  ) -> Int32 {
    disk(file).writes(path(file))
    let outcome = disk(file).next(.write)
    guard outcome == .works || outcome == .tears else {
      return outcome == .isFull ? SQLITE_FULL : SQLITE_IOERR | (3 << 8)
    }
    let arriving = outcome == .tears ? count / 2 : count
    let result = real(file).pointee.pMethods.pointee.xWrite(real(file), bytes, arriving, offset)
    disk(file).wrote(
      path(file), Array(UnsafeRawBufferPointer(start: bytes, count: Int(arriving))), at: Int(offset))
    return outcome == .tears ? SQLITE_IOERR | (3 << 8) : result
  }

  static func truncate(_ file: UnsafeMutablePointer<sqlite3_file>?, _ size: sqlite3_int64) -> Int32 {
    guard disk(file).next(.other) == .works else { return SQLITE_IOERR | (6 << 8) }
    disk(file).cut(path(file), to: Int(size))
    return real(file).pointee.pMethods.pointee.xTruncate(real(file), size)
  }

  /// Nothing is synced in truth: the model says what is durable.
  static func sync(_ file: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
    disk(file).sync(path(file), opening(file)) ? SQLITE_OK : SQLITE_IOERR | (4 << 8)
  }

  static func close(_ file: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
    disk(file).closed(path(file), opening(file))
    let result = real(file).pointee.pMethods.pointee.xClose(real(file))
    UnsafeMutableRawPointer(file!).assumingMemoryBound(to: FaultFile.self).pointee.path.release()
    return result
  }

  nonisolated(unsafe) private static let methods: UnsafePointer<sqlite3_io_methods> = {
    let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    var all = sqlite3_io_methods()
    all.iVersion = 2
    all.xClose = { close($0) }
    all.xRead = { file, bytes, count, offset in
      guard disk(file).reads(path(file)) else { return SQLITE_IOERR | (1 << 8) }
      return real(file).pointee.pMethods.pointee.xRead(real(file), bytes, count, offset)
    }
    all.xWrite = { write($0, $1, $2, $3) }
    all.xTruncate = { truncate($0, $1) }
    all.xSync = { file, _ in sync(file) }
    all.xFileSize = { real($0).pointee.pMethods.pointee.xFileSize(real($0), $1) }
    all.xLock = { real($0).pointee.pMethods.pointee.xLock(real($0), $1) }
    all.xUnlock = { real($0).pointee.pMethods.pointee.xUnlock(real($0), $1) }
    all.xCheckReservedLock = { real($0).pointee.pMethods.pointee.xCheckReservedLock(real($0), $1) }
    all.xFileControl = { real($0).pointee.pMethods.pointee.xFileControl(real($0), $1, $2) }
    all.xSectorSize = { real($0).pointee.pMethods.pointee.xSectorSize(real($0)) }
    // Of the promises of the file system only the one that the disk keeps is passed on: neither atomic writes nor safe
    // appends.
    all.xDeviceCharacteristics = { disk($0).isPowersafe ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0 }
    all.xShmMap = { real($0).pointee.pMethods.pointee.xShmMap(real($0), $1, $2, $3, $4) }
    all.xShmLock = { real($0).pointee.pMethods.pointee.xShmLock(real($0), $1, $2, $3) }
    all.xShmBarrier = { real($0).pointee.pMethods.pointee.xShmBarrier(real($0)) }
    all.xShmUnmap = { real($0).pointee.pMethods.pointee.xShmUnmap(real($0), $1) }
    methods.initialize(to: all)
    return UnsafePointer(methods)
  }()
}
