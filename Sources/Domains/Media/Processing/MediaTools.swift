import Base

/// Why nothing can be made of an upload, for its owner. What is thrown otherwise may go better the next time.
struct MediaFailure: Error, Equatable {
  let reason: String

  /// None of the formats that are taken, or not what its kind says.
  static let unsupportedFormat = MediaFailure(reason: "UNSUPPORTED_FORMAT")
  static let tooManyPixels = MediaFailure(reason: "TOO_MANY_PIXELS")
  static let tooLong = MediaFailure(reason: "TOO_LONG")
  /// It begins as it should, and cannot be read to its end.
  static let notDecodable = MediaFailure(reason: "NOT_DECODABLE")
  /// It took more time or memory than anything honest does.
  static let tooCostly = MediaFailure(reason: "TOO_COSTLY")
  /// It failed at every attempt, for reasons of the server's.
  static let processingFailed = MediaFailure(reason: "PROCESSING_FAILED")
}

/// What a film is, as ffprobe finds.
struct FilmFacts: Sendable, Equatable {
  /// As shown, in pixels.
  var width: Int
  var height: Int
  var duration: Duration
  var contentType: String
}

/// ffprobe and ffmpeg, as programs of their own: they read what strangers have made. They get a list of arguments that is
/// made of typed values, read one file in one of a few formats by no protocol but `file`, and have their limits.
struct MediaTools: Sendable {
  let limits: MediaLimits

  /// Formats that may hold a film. None that names other files, as playlists do.
  private static let filmFormats = "mov,matroska,webm"
  /// The same of sounds.
  private static let soundFormats = "mp3,mov,ogg,flac,wav,matroska,webm"

  /// - Parameter outputBytes: what a program may say.
  private func programLimits(outputBytes: Int) -> ChildProgram.Limits {
    var program = ChildProgram.Limits(
      time: limits.processingTime, processorSeconds: limits.processingSeconds, memoryBytes: limits.processingMemory,
      fileBytes: limits.renditionBytes)
    program.outputBytes = outputBytes
    return program
  }

  /// Looks at a film: reads its packets, and decodes no more than a few frames.
  /// - Throws: `MediaFailure`.
  func probe(_ path: String) async throws -> FilmFacts {
    let outcome = try await run(
      "ffprobe",
      [
        "-v", "error", "-protocol_whitelist", "file", "-format_whitelist", Self.filmFormats, "-select_streams", "v:0",
        "-show_entries",
        "packet=pts_time:format=format_name,duration:stream=width,height:stream_side_data=rotation:stream_tags=rotate",
        "-of", "flat", "file:" + path,
      ], failure: .unsupportedFormat)
    // A list of packets that long is no short film's.
    guard outcome.output.count < limits.probedBytes else { throw MediaFailure.tooLong }
    var facts = FilmFacts(width: 0, height: 0, duration: .zero, contentType: "")
    var end = 0.0
    var isTurned = false
    for line in String(decoding: outcome.output, as: UTF8.self).split(separator: "\n") {
      guard let equals = line.firstIndex(of: "=") else { continue }
      let value = line[line.index(after: equals)...].filter { $0 != "\"" }
      switch line[..<equals].split(separator: ".").last {
      case "pts_time", "duration": end = max(end, Double(value) ?? 0)
      case "width": facts.width = max(0, Int(value) ?? 0)
      case "height": facts.height = max(0, Int(value) ?? 0)
      case "rotation", "rotate": isTurned = (Int(value) ?? 0) % 180 != 0
      case "format_name": facts.contentType = Self.contentType(value)
      default: break
      }
    }
    guard facts.width > 0, facts.height > 0, end > 0, end.isFinite else { throw MediaFailure.unsupportedFormat }
    if isTurned { swap(&facts.width, &facts.height) }
    facts.duration = .milliseconds(Int64(min(end * 1000, 1e12)))
    guard facts.duration <= limits.filmDuration + limits.filmTolerance else { throw MediaFailure.tooLong }
    guard facts.width <= limits.filmPixels / facts.height else { throw MediaFailure.tooManyPixels }
    return facts
  }

  /// Looks at a sound: at its heads, and at how long it is.
  /// - Throws: `MediaFailure`.
  func probeSound(_ path: String) async throws -> FilmFacts {
    let outcome = try await run(
      "ffprobe",
      [
        "-v", "error", "-protocol_whitelist", "file", "-format_whitelist", Self.soundFormats, "-select_streams", "a:0",
        "-show_entries", "format=format_name,duration:stream=codec_type", "-of", "flat", "file:" + path,
      ], failure: .unsupportedFormat)
    var facts = FilmFacts(width: 0, height: 0, duration: .zero, contentType: "")
    var (seconds, isSound) = (0.0, false)
    for line in String(decoding: outcome.output, as: UTF8.self).split(separator: "\n") {
      guard let equals = line.firstIndex(of: "=") else { continue }
      let value = line[line.index(after: equals)...].filter { $0 != "\"" }
      switch line[..<equals].split(separator: ".").last {
      case "duration": seconds = Double(value) ?? 0
      case "codec_type": isSound = value == "audio"
      case "format_name": facts.contentType = Self.soundType(value)
      default: break
      }
    }
    guard isSound else { throw MediaFailure.unsupportedFormat }
    // What a browser records says nowhere how long it has become.
    if !(seconds > 0) { seconds = try await endOfSound(path) }
    guard seconds > 0, seconds.isFinite else { throw MediaFailure.unsupportedFormat }
    facts.duration = .milliseconds(Int64(min(seconds * 1000, 1e12)))
    guard facts.duration <= limits.soundDuration else { throw MediaFailure.tooLong }
    return facts
  }

  /// Where the last packet of a sound ends, in seconds; 0 without any.
  private func endOfSound(_ path: String) async throws -> Double {
    let outcome = try await run(
      "ffprobe",
      [
        "-v", "error", "-protocol_whitelist", "file", "-format_whitelist", Self.soundFormats, "-select_streams", "a:0",
        "-show_entries", "packet=pts_time,duration_time", "-of", "csv=p=0", "file:" + path,
      ], outputBytes: limits.probedSoundBytes, failure: .unsupportedFormat)
    guard outcome.output.count < limits.probedSoundBytes else { throw MediaFailure.tooLong }
    return String(decoding: outcome.output, as: UTF8.self).split(separator: "\n").map { packet in
      packet.split(separator: ",").prefix(2).compactMap { Double($0) }.reduce(0, +)
    }.max() ?? 0
  }

  /// Makes a sound that all players take, without anything but what is heard.
  func renderSound(from path: String, to output: String) async throws {
    try await encode(
      ["-format_whitelist", Self.soundFormats], path, limits.imagePixels,
      [
        "-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1",
        "-t", "\(limits.soundDuration.inMilliseconds)ms", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000",
        "-movflags", "+faststart", "-f", "mp4",
      ], output)
  }

  /// Makes a picture of another size, without anything but its pixels.
  func renderPicture(_ header: ImageHeader, _ profile: Profile, from path: String, to output: String) async throws {
    let size = profile.size(width: header.shown.width, height: header.shown.height)
    let filters = Self.turns(header.orientation) + ["scale=\(size.width):\(size.height):flags=lanczos"]
    try await encode(
      ["-noautorotate", "-f", header.format.demuxer], path, limits.imagePixels,
      ["-map", "0:v:0", "-vf", filters.joined(separator: ",")] + Self.webp, output)
  }

  /// Makes a picture of a frame of a film.
  func renderStill(_ facts: FilmFacts, _ profile: Profile, from path: String, to output: String) async throws {
    let size = profile.size(width: facts.width, height: facts.height)
    // The first frames are often black.
    let second = min(1, Double(facts.duration.inMilliseconds) / 10_000)
    try await encode(
      Self.filmInput + ["-ss", "\(second)"], path, limits.filmPixels,
      ["-map", "0:v:0", "-vf", "scale=\(size.width):\(size.height),setsar=1"] + Self.webp, output)
  }

  /// Makes a film of another size: fragments of 2 seconds in one file, each from a key frame, and the playlist that names
  /// them.
  func renderFilm(
    _ facts: FilmFacts, _ profile: Profile, name: String, from path: String, in folder: String
  ) async throws {
    let size = profile.size(width: facts.width, height: facts.height)
    try await encode(
      Self.filmInput, path, limits.filmPixels,
      [
        "-map", "0:v:0", "-map", "0:a:0?", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1",
        "-t", "\((limits.filmDuration + limits.filmTolerance).inMilliseconds)ms", "-fpsmax", "30",
        "-vf", "scale=\(size.width):\(size.height),setsar=1,format=yuv420p",
        "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-crf", "23",
        "-maxrate", "\(profile.greatestBitRate)", "-bufsize", "\(2 * profile.greatestBitRate)",
        "-force_key_frames", "expr:gte(t,n_forced*2)", "-sc_threshold", "0",
        "-c:a", "aac", "-b:a", "96k", "-ac", "2", "-ar", "48000",
        "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4",
        "-hls_flags", "single_file", "-hls_segment_filename", "\(folder)/\(name)\(HLSPlaylist.filmSuffix)",
      ], "\(folder)/\(name)\(HLSPlaylist.suffix)")
  }

  private static let filmInput = ["-format_whitelist", filmFormats]
  private static let webp = [
    "-frames:v", "1", "-map_metadata", "-1", "-c:v", "libwebp", "-quality", "80", "-f", "webp",
  ]

  private func encode(
    _ input: [String], _ path: String, _ pixels: Int, _ output: [String], _ target: String
  ) async throws {
    _ = try await run(
      "ffmpeg",
      ["-nostdin", "-y", "-v", "error", "-threads", "2", "-protocol_whitelist", "file", "-max_pixels", "\(pixels)"]
        + input + ["-i", "file:" + path, "-threads", "2"] + output + [target], failure: .notDecodable)
  }

  private func run(
    _ program: String, _ arguments: [String], outputBytes: Int? = nil, failure: MediaFailure
  ) async throws -> ChildProgram.Outcome {
    let outcome = try await ChildProgram.run(
      program, arguments, limits: programLimits(outputBytes: outputBytes ?? limits.probedBytes))
    if outcome.status == 0 { return outcome }
    // 126 and 127: the program is not there, or cannot be run here.
    guard ![126, 127].contains(outcome.status) else { throw ToolMissing(program: program) }
    throw outcome.isTimedOut || outcome.status > 128 ? MediaFailure.tooCostly : failure
  }

  /// Filters that turn a picture as its EXIF orientation wants it.
  private static func turns(_ orientation: Int) -> [String] {
    switch orientation {
    case 2: ["hflip"]
    case 3: ["hflip", "vflip"]
    case 4: ["vflip"]
    case 5: ["transpose=0"]
    case 6: ["transpose=1"]
    case 7: ["transpose=3"]
    case 8: ["transpose=2"]
    default: []
    }
  }

  private static func soundType(_ format: String) -> String {
    switch format {
    case "mp3": "audio/mpeg"
    case "ogg": "audio/ogg"
    case "flac": "audio/flac"
    case "wav": "audio/wav"
    default: format.hasPrefix("mov") ? "audio/mp4" : "audio/webm"
    }
  }

  private static func contentType(_ format: String) -> String {
    format.hasPrefix("mov") ? "video/mp4" : format.contains("webm") ? "video/webm" : "video/x-matroska"
  }
}

/// A program that the server needs is not installed.
struct ToolMissing: Error {
  let program: String
}
