import ProtobufRuntime
import RPC

/// A command of a domain that takes several of its methods.
struct Composed {
  let domain: String
  /// The service that a server must have for it.
  let service: String
  let name: String
  let command: Command

  init(_ domain: String, _ service: String, _ name: String, _ command: Command) {
    (self.domain, self.service, self.name, self.command) = (domain, service, name, command)
  }

  static let all = [
    Composed("media", BlobUpload.service, "upload", .upload),
    Composed("media", BlobUpload.service, "download", .download),
    Composed("identity", AccountExport.service, "export", .export),
  ]
}

extension Command {
  private static let quiet = Option("quiet", "Show no progress on a terminal either.")
  private static let output = Option(
    "output", short: "o", value: "FILE|-", "Where the bytes go; - for standard output. Default: a name made of the id.")
  private static let force = Option("force", "Replace a file that is there.")

  static let upload = Command(
    name: "media upload", arguments: "FILE...",
    summary: "Upload files; each becomes a blob, whose id is printed before its name.",
    details: """
      A file is hashed first, and sent in chunks whose arrival the server acknowledges. When the connection or the \
      server is lost, the upload goes on by itself as soon as it can; after Ctrl-C or worse, the same command goes on \
      where the server has got to, within 24 hours.

      Example: octet media upload --wait holiday.jpg
      """,
    options: [
      Option(
        "kind", value: "KIND",
        "What the files are used as: file, image, video or audio. Default: what their names say, by endings such as .jpg or .mp4."
      ),
      Option("wait", "Wait until all that is made of the blobs is there; exit code 9 if one of them fails."), quiet,
    ]
  ) { invocation in
    let paths = invocation.arguments.words
    guard !paths.isEmpty else { throw UsageError("FILE is missing") }
    let client = try await invocation.client()
    let isQuiet = invocation.arguments.isOn("quiet")
    let interruption = Interruption { Output.note("\ninterrupted; the same command goes on where it was") }
    defer { withExtendedLifetime(interruption) {} }
    var failed: [String] = []
    for path in paths {
      let kind = try BlobKinds.name(invocation.arguments["kind"], path)
      let upload = try await BlobUpload(client: client, kind: kind, isQuiet: isQuiet).run(path)
      let id = upload.text("blob_id")
      if invocation.global.wantsJSON {
        Output.write(try client.json(upload) + [UInt8(ascii: "\n")])
      } else {
        Output.print(Terminal.plain("\(id)  \(path)"))
      }
      if invocation.arguments.isOn("wait"), let failure = try await BlobKinds.settle(id, client, isQuiet: isQuiet) {
        failed.append("\(Terminal.plain(path)): \(failure)")
      }
    }
    if !failed.isEmpty { throw RPCError(.failedPrecondition, failed.joined(separator: "; ")) }
  }

  static let download = Command(
    name: "media download", arguments: "BLOB_ID",
    summary: "Download a blob, or something that was made of it.",
    details: """
      The bytes are fetched by a signed URL in ranges, written beside FILE, and get their name when they are whole. \
      Those that were uploaded are checked by their SHA-256; what was cut goes on where it was, by itself or by the same \
      command. The same command begins anew with a rendition.

      Example: octet media download blob_01j8z3k4m5n6p -o holiday.jpg
      """,
    options: [
      output, force,
      Option("name", value: "NAME", "A rendition instead of the bytes as they were uploaded, such as w640 or 480p."),
      Option("subject-id", value: "ID", "The thing through which you see the blob. Default: the server looks."), quiet,
    ]
  ) { invocation in
    let blobID = try invocation.words(["BLOB_ID"])[0]
    let client = try await invocation.client()
    let download = BlobDownload(
      client: client, blobID: blobID, subjectID: invocation.arguments["subject-id"] ?? "",
      rendition: invocation.arguments["name"] ?? "", isQuiet: invocation.arguments.isOn("quiet"))
    try await save(download, invocation, name: nil)
  }

  static let export = Command(
    name: "identity export", arguments: "[EXPORT_ID]",
    summary: "Put together all that is known of you, and download it as one archive.",
    details: """
      One export a day can be begun; it is kept for 7 days. With EXPORT_ID, one that was begun before is fetched.
      """,
    options: [output, force, quiet]
  ) { invocation in
    let words = try invocation.words(["EXPORT_ID"], optional: 1)
    let client = try await invocation.client()
    let isQuiet = invocation.arguments.isOn("quiet")
    let export = try await AccountExport(client: client, isQuiet: isQuiet).ready(words.first)
    let (id, blobID) = (export.text("id"), export.text("blob_id"))
    guard LocalPath.isPlain(id), LocalPath.isPlain(blobID) else {
      throw RPCError(.internal, "the server's ids cannot be names of files")
    }
    let download = BlobDownload(client: client, blobID: blobID, subjectID: "", rendition: "", isQuiet: isQuiet)
    try await save(download, invocation, name: id + ".tar")
  }

  private static func save(_ download: BlobDownload, _ invocation: Invocation, name: String?) async throws {
    let interruption = Interruption { Output.note("\ninterrupted; the same command goes on where it was") }
    defer { withExtendedLifetime(interruption) {} }
    let output = invocation.arguments["output"]
    let sink: BlobDownload.Sink =
      output == "-" ? .standardOutput : .file(output ?? name, replaces: invocation.arguments.isOn("force"))
    let result = try await download.run(to: sink)
    guard let path = result.path else { return }
    Output.print("\(Terminal.plain(path))  \(result.length) bytes  sha256 \(hexadecimal(result.sha256))")
  }
}

/// What files are used as.
private enum BlobKinds {
  private static let prefix = "BLOB_KIND_"
  private static let images: Set = ["png", "jpg", "jpeg", "webp", "gif"]
  private static let videos: Set = ["mp4", "mov", "webm", "mkv", "m4v"]
  private static let sounds: Set = ["mp3", "m4a", "ogg", "opus", "flac", "wav"]

  /// The name of the BlobKind that is given, or that a path's ending says.
  static func name(_ given: String?, _ path: String) throws(UsageError) -> String {
    if let given {
      guard ["file", "image", "video", "audio"].contains(given) else {
        throw UsageError("--kind: \(given) is none of file, image, video, audio")
      }
      return prefix + given.uppercased()
    }
    let ending = path.split(separator: ".").last?.lowercased() ?? ""
    for (kind, endings) in [("IMAGE", images), ("VIDEO", videos), ("AUDIO", sounds)] where endings.contains(ending) {
      return prefix + kind
    }
    return prefix + "FILE"
  }

  /// Waits until a blob is READY or FAILED.
  /// - Returns: why it failed.
  static func settle(_ id: String, _ client: Client, isQuiet: Bool) async throws -> String? {
    let (service, method) = try await client.method("\(BlobUpload.service)/WatchBlob")
    // A film takes its minute.
    let isShown = !isQuiet && Terminal.showsProgress
    if isShown { Output.ask(Terminal.plain("waiting for what is made of \(id)")) }
    defer { if isShown { Output.ask("\r\u{1b}[K") } }
    var failure: String?
    var state = ""
    try await CallRunner(client: client, service: service, method: method)
      .run(.objects([Array(JSONText.object([("blobId", .string(id))]).text.utf8)])) { bytes in
        guard let blob = DynamicMessage(bytes, type: method.outputType, pool: client.pool)?.message("blob") else {
          return
        }
        state = blob.enumName("state")
        failure = state == "BLOB_STATE_FAILED" ? blob.text("failure") : nil
      }
    guard ["BLOB_STATE_READY", "BLOB_STATE_FAILED"].contains(state) else {
      throw RPCError(.unavailable, "\(id) is there; whether all that is made of it is, the server did not say")
    }
    return failure
  }
}

/// An export of all that is known of the caller.
private struct AccountExport {
  static let service = "octet.identity.v1.AccountService"

  let client: Client
  let isQuiet: Bool

  /// Begins an export, or takes one up that was begun, and waits until it is ready.
  func ready(_ id: String?) async throws -> DynamicMessage {
    let exportID: String
    if let id {
      exportID = id
    } else {
      let begun = try await client.unary(
        "\(Self.service)/StartExport", .object([("requestId", .string(RequestID.make()))]))
      exportID = begun.text("id")
      Output.note(Terminal.plain("\(exportID) is being put together"))
    }
    let (service, method) = try await client.method("\(Self.service)/WatchExport")
    var latest: DynamicMessage?
    var shown: Int64 = -1
    try await CallRunner(client: client, service: service, method: method)
      .run(.objects([Array(JSONText.object([("exportId", .string(exportID))]).text.utf8)])) { bytes in
        guard let export = DynamicMessage(bytes, type: method.outputType, pool: client.pool)?.message("export") else {
          return
        }
        latest = export
        let done = export.integer("files_done") ?? 0
        if !isQuiet, Terminal.showsProgress, let total = export.integer("files_total"), done != shown {
          shown = done
          Output.ask("\r\u{1b}[K\(done) of \(total) files")
        }
      }
    if shown >= 0 { Output.ask("\r\u{1b}[K") }
    if latest?.enumName("state") == "EXPORT_STATE_FAILED" {
      throw RPCError(.unavailable, "the export could not be put together; octet identity export begins another one")
    }
    guard let latest, !latest.text("blob_id").isEmpty else {
      throw RPCError(.unavailable, "the export is not ready yet; octet identity export \(exportID) goes on")
    }
    return latest
  }
}
