import DomainKit

/// Playlists of HTTP Live Streaming (RFC 8216), whose URIs are relative: the names of a blob's files lie beside each other.
enum HLSPlaylist {
  static let contentType = "application/vnd.apple.mpegurl"
  static let suffix = ".m3u8"
  /// Some players go by it.
  static let filmSuffix = ".mp4"
  /// The list of all sizes, among which players choose by what the network gives.
  static let masterName = "hls.m3u8"

  /// Nil if there is no video among the renditions.
  static func master(_ renditions: [RenditionRow]) -> String? {
    let videos = renditions.filter { $0.content != nil && !$0.playlist.isEmpty }.sorted { $0.bitRate < $1.bitRate }
    if videos.isEmpty { return nil }
    return videos.reduce(into: "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n") { text, video in
      text += """
        #EXT-X-STREAM-INF:BANDWIDTH=\(peak(video)),AVERAGE-BANDWIDTH=\(video.bitRate),\
        RESOLUTION=\(video.width)x\(video.height),CODECS="\(video.codecs)"
        \(video.profile)\(suffix)

        """
    }
  }

  /// How many segments a playlist names.
  static func segments(_ playlist: String) -> Int32 {
    Int32(lines(playlist).count { $0.hasPrefix("#EXTINF:") })
  }

  /// Where the head of a film and its segments lie, by its playlist; nothing of what has none.
  static func parts(_ playlist: String) -> (head: Range<Int64>?, segments: [FileSegment]) {
    var head: Range<Int64>?
    var segments: [FileSegment] = []
    var duration = Duration.zero
    for line in lines(playlist) {
      if line.hasPrefix("#EXT-X-MAP:"), let field = line.firstRange(of: "BYTERANGE=\"") {
        head = range(line[field.upperBound...].prefix { $0 != "\"" }, after: 0)
      } else if line.hasPrefix("#EXTINF:") {
        let seconds = Double(line.dropFirst("#EXTINF:".count).prefix { $0 != "," }) ?? 0
        duration = .milliseconds(Int64((seconds * 1000).rounded()))
      } else if line.hasPrefix("#EXT-X-BYTERANGE:") {
        let end = segments.last?.bytes.upperBound ?? head?.upperBound ?? 0
        guard let bytes = range(line.dropFirst("#EXT-X-BYTERANGE:".count), after: end) else { continue }
        segments.append(FileSegment(bytes: bytes, duration: duration))
      }
    }
    return (head, segments)
  }

  /// `LENGTH@OFFSET`, or `LENGTH` alone for what follows the one before.
  private static func range(_ text: Substring, after end: Int64) -> Range<Int64>? {
    let numbers = text.split(separator: "@").map { Int64($0) }
    guard let length = numbers.first ?? nil, length > 0, let start = numbers.count > 1 ? numbers[1] : end, start >= 0
    else { return nil }
    return start..<(start + length)
  }

  /// The greatest bit rate of a segment.
  private static func peak(_ video: RenditionRow) -> Int64 {
    var seconds = 0.0
    var peak = video.bitRate
    for line in lines(video.playlist) {
      if line.hasPrefix("#EXTINF:") {
        seconds = Double(line.dropFirst("#EXTINF:".count).prefix { $0 != "," }) ?? 0
      } else if line.hasPrefix("#EXT-X-BYTERANGE:"), seconds > 0,
        let bytes = Double(line.dropFirst("#EXT-X-BYTERANGE:".count).prefix { $0 != "@" })
      {
        peak = max(peak, Int64(bytes * 8 / seconds))
      }
    }
    return peak
  }

  private static func lines(_ text: String) -> [Substring] { text.split(whereSeparator: \.isNewline) }
}
