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

  /// Postings that one query looks at: some 3 ns each. Those of a million documents for five words that each of them has.
  public static let postings = 5_000_000

  /// Hits that can be reached by paging. A result list in memory holds as many.
  public static let hits = 1000

  /// Completions of the last word that a query is extended to.
  public static let completions = 16

  /// Words that a misspelt one is taken for, the nearest and then the most frequent ones.
  public static let corrections = 16

  /// Words that are looked at to find completions of a long prefix.
  public static let prefixScan = 256

  /// Suggestions for one word.
  public static let suggestions = 20

  /// Words of a query that finds nothing as it is and is corrected: each costs some thirty look-ups and one for each word
  /// that is near to it. A longer query is taken as it stands.
  public static let correctedWords = 4

  /// Words that are looked at on either side of a misspelt one in the alphabet, by each way to shorten it: more than
  /// have one beginning of seven letters in a usual vocabulary. Passing over one takes less than 1 µs.
  public static let typoScan = 256

  /// Words that are compared with a misspelt one: some 1 µs each.
  public static let typoComparisons = 2048

  /// New words that are made to be found by their beginnings and misspellings in one transaction, which takes a dozen
  /// rows each: all together some 5 ms.
  public static let wordsAtOnce = 64

  /// Documents that are in no segment yet, beyond which they become one. A query looks at each: 1 µs.
  public static let sealedDocuments = 1024

  /// The terms of these documents, beyond which they become a segment: what holds up a commit, by some 30 ms.
  public static let sealedTerms = 48 * 1024

  /// Postings of a list beyond which its best ones are kept once more.
  public static let longList = 4096

  /// How many are kept: as many as can be reached by paging, and some more as some may be dead.
  public static let bestPostings = 1024

  /// Postings of a list that take as long to read as a document in it to look up: beyond so many for each document that
  /// is left, the documents are looked up.
  public static let postingsForLookUp = 16_384

  /// Segments of one size that are merged into one. More make fewer merges, and queries meet more segments: up to one less
  /// of each size, in each of which each of their words is looked up.
  public static let mergedSegments = 8

  /// Characters by which a word of a personal document is completed: each costs the document a term.
  public static let personalStart = 12

  /// Documents of the largest segment that is made by merging.
  public static let segmentDocuments = 1 << 20

  /// Ids of documents that a node remembers by segment: 8 octets each.
  public static let rememberedDocuments = 16 << 20

  /// Octets of lists that a node remembers: those of the thousand most frequent words in a million documents.
  public static let rememberedListBytes = 64 << 20

  /// Octets of rows of dictionaries that a node remembers: most of those of a million documents, and all of the small
  /// segments', which every new word is looked up in.
  public static let rememberedRowBytes = 64 << 20

  /// Octets of what a node remembers of where the rows of dictionaries begin: 8 for each row of 1,900, so that those of
  /// ten million documents find room.
  public static let rememberedStartBytes = 8 << 20

  /// Words that a node remembers to be known: 16 octets each, twice.
  public static let rememberedWords = 1 << 18

  /// The longest word, in characters; the rest of a longer one is not looked at.
  public static let wordLength = 40

  /// Words of one document, counted with repetition; what follows is not indexed.
  public static let documentWords = 10_000

  /// Tags of one document.
  public static let documentTags = 64

  /// Numbers of one document.
  public static let documentNumbers = 16

  /// Result lists that a node remembers, of at most `hits` entries: 16 KB each. Of others it makes the rest again.
  public static let resultLists = 1024

  /// By how much the clocks of two nodes may differ without a new document being missed on a further page. What comes so
  /// soon after the first page may be among the hits of the next.
  public static let clockDifference = Duration.milliseconds(250)

  /// How long after its first page a search can be gone on with, on any node: so long is kept what documents were.
  public static let cursorLifetime = Duration.seconds(600)

  /// Changes of documents since the first page beyond which a node that has not its list does not go on: each is read, and
  /// costs a microsecond or two.
  public static let pastEntries = 16_384

  /// How often a node that has not the list searches on for hits in the place of those that came after the first page. Each
  /// time gives as many as can be reached by paging.
  public static let listSearches = 8
}
