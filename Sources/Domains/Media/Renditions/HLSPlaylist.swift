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
