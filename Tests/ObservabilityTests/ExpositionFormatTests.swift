import Observability
import Testing

@Suite struct ExpositionFormatTests {
  private let families = [
    MetricFamily(
      "calls_total", .counter, "Calls with \"quotes\",\nlines and \\.",
      [MetricSample([MetricLabel("method", "a\"b\\c\nd"), MetricLabel("code", "OK")], 3)]),
    MetricFamily("empty_total", .counter, "Nothing.", []),
    MetricFamily("temperature", .gauge, "Degrees.", -1.5),
  ]

  @Test func `the text form is Prometheus' 0.0.4`() {
    #expect(
      String(decoding: ExpositionFormat.text.render(families), as: UTF8.self) == #"""
        # HELP calls_total Calls with "quotes",\nlines and \\.
        # TYPE calls_total counter
        calls_total{method="a\"b\\c\nd",code="OK"} 3
        # HELP temperature Degrees.
        # TYPE temperature gauge
        temperature -1.5

        """#)
  }

  @Test func `OpenMetrics names counters without their suffix and marks the end`() {
    #expect(
      String(decoding: ExpositionFormat.openMetrics.render(families), as: UTF8.self) == #"""
        # HELP calls Calls with \"quotes\",\nlines and \\.
        # TYPE calls counter
        calls_total{method="a\"b\\c\nd",code="OK"} 3
        # HELP temperature Degrees.
        # TYPE temperature gauge
        temperature -1.5
        # EOF

        """#)
  }

  @Test(
    arguments: [
      (nil, .text), ("", .text), ("*/*", .text), ("text/plain", .text), ("application/json", .text),
      ("application/openmetrics-text", .openMetrics), ("application/openmetrics-text; version=1.0.0", .openMetrics),
      ("application/openmetrics-text;version=0.0.1", .text), ("application/openmetrics-text;q=0", .text),
      ("text/plain;q=0.9,application/openmetrics-text;q=0.5", .text),
      (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
          + "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
          + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", .openMetrics
      ),
      (";;,,q=;q=x,", .text),
    ] as [(String?, ExpositionFormat)])
  func `a scraper gets the form that it prefers`(accept: String?, expected: ExpositionFormat) {
    #expect(ExpositionFormat(accept: accept) == expected)
  }
}
