/// The bounds of search, with their reasons. What a peer can send is refused beyond them; what a program indexes is cut.
public enum SearchLimits {
  /// The longest query, in UTF-8 octets: a long sentence.
  public static let queryBytes = 1024

  /// Words of a query, pairs of characters of unspaced scripts included. Each costs a list and an estimate.
  public static let queryWords = 16

  /// Tags that a query may ask for, and bounds of numbers.
  public static let filters = 16

  /// Tags that a query may have counted.
  public static let facets = 64

  /// Hits of a page.
  public static let pageSize = 500

  /// Documents that one query looks at: 4 to 5 µs each, so that the worst query stays within 20 ms.
  public static let candidates = 2048

  /// Hits that can be reached by paging. A result list in memory holds as many.
  public static let hits = 1000

  /// Completions of the last word that a query is extended to.
  public static let completions = 16

  /// Words that are looked at to find completions of a long prefix.
  public static let prefixScan = 256

  /// Suggestions for one word.
  public static let suggestions = 20

  /// Words that are compared with a misspelt one, by each way to shorten it.
  public static let typoScan = 32

  /// Postings from which the frequency of a word is estimated: an error of about 12 %, which the logarithm makes small.
  public static let estimateRows = 64

  /// The longest word, in characters; the rest of a longer one is not looked at.
  public static let wordLength = 40

  /// Words of one document, counted with repetition; what follows is not indexed.
  public static let documentWords = 10_000

  /// Tags of one document.
  public static let documentTags = 64

  /// Numbers of one document.
  public static let documentNumbers = 16

  /// Result lists that a node remembers, of at most `hits` entries: 16 KB each.
  public static let resultLists = 1024

  /// How long a result list is remembered.
  public static let resultListLifetime = Duration.seconds(600)
}
