"""House rules that look at more than one file, on a small tree of their own."""

import importlib.util

import pytest

from support.paths import ROOT


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    spec = importlib.util.spec_from_file_location("house_rules", ROOT / "scripts" / "house_rules.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    for folder in ("Sources/A", "Tests/A", "docs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "Sources/A/ALimits.swift").write_text(
        "struct ALimits {\n  var queue = 4\n  var wait: Duration?\n  public var size: Int\n  static let page = 9\n}\n")
    for name in ("README.md", "CHANGELOG.md"):
        (tmp_path / name).write_text("")
    return module


def said(breaches):
    return [text for _, text in breaches]


@pytest.mark.parametrize(
    "text", ["ALimits.queue", "limits.queue = 1", "ALimits().queue", "f(wait(2), ALimits(size: f(1), queue: 2))",
             "make { $0.queue = 1 }", "shape.queue"],
)  # fmt: skip
def test_a_limit_is_named_by_its_type_or_as_one_of_the_limits(house, text):
    (house.ROOT / "Tests/A/ATests.swift").write_text(text)
    assert "no test names ALimits.queue" not in said(house.limits_without_test())


@pytest.mark.parametrize(
    "text", ["queue", "a queue that waits", "window.queue", "$0.queue == 1", "BLimits.queue", "f(queue: 1)",
             "limits.queues", "ALimits(size: 1); f(queue: 2)"],
)  # fmt: skip
def test_something_that_is_called_alike_is_not_the_limit(house, text):
    (house.ROOT / "Tests/A/ATests.swift").write_text(text)
    assert "no test names ALimits.queue" in said(house.limits_without_test())


def test_every_limit_needs_its_test(house):
    names = ("queue", "wait", "size", "page")
    assert said(house.limits_without_test()) == [f"no test names ALimits.{name}" for name in names]
    text = " ".join(f"ALimits.{name}" for name in names)
    (house.ROOT / "Tests/A/ATests.swift").write_text(text)
    assert said(house.limits_without_test()) == []


def test_a_module_has_one_file_of_limits_and_the_guide_leads_there(house):
    guide = house.ROOT / house.GUIDE_OF_LIMITS
    assert said(house.limits_out_of_place()) == [f"{house.GUIDE_OF_LIMITS} does not lead to it"]
    guide.parent.mkdir()
    guide.write_text("[ALimits](../../Sources/A/ALimits.swift) [More](../../Sources/A/MoreLimits.swift)")
    assert said(house.limits_out_of_place()) == []
    (house.ROOT / "Sources/A/MoreLimits.swift").write_text("enum MoreLimits {\n  static let more = 1\n}\n")
    assert said(house.limits_out_of_place()) == ["a module has one file of limits, and this has 2"]


def test_the_list_of_limits_has_their_defaults_and_reasons(house):
    assert said(house.stale_list_of_limits()) == ["python3 scripts/limits.py writes something else"]
    (house.ROOT / "Sources/A/ALimits.swift").write_text(
        "struct ALimits {\n  /// As many as\n  /// fit | wait.\n  var queue = 4 << 1\n  var wait: Duration?\n  /// A page.\n"
        "  public var size: Int\n  init(\n    size: Int = f(4, 5), other: Int = 6,\n    last: Int = 7\n  ) {}\n  var last: Int\n}\n")
    text = house.limits.listing(house.ROOT)
    assert "| `queue` | `4 << 1` | As many as fit \\| wait. |\n" in text
    assert "| `wait` | `nil` | See the one above. |\n" in text
    assert "| `size` | `f(4, 5)` | A page. |\n" in text
    assert "| `last` | `7` | See the one above. |\n" in text
    (house.ROOT / "docs/limits.md").write_text(text)
    assert said(house.stale_list_of_limits()) == []


def test_a_limit_of_the_library_stands_among_its_limits(house):
    source = house.ROOT / "Sources/RPC/Call.swift"
    source.parent.mkdir()
    source.write_text("struct Call {\n  private static let longestWait: Duration = .seconds(1)\n  static let mostly = a()\n}\n")
    assert "longestWait belongs into the limits of RPC" in said(house.limits_out_of_place())
    source.write_text("struct Call {\n  public static let usualWait: Duration = .seconds(1)\n}\n")
    assert "usualWait belongs into the limits of RPC" in said(house.limits_out_of_place())
    source.write_text("struct Call {\n  static let unusual = 1\n}\n")
    assert not [text for text in said(house.limits_out_of_place()) if "belongs" in text]


def test_a_link_that_leads_nowhere_is_a_breach(house):
    (house.ROOT / "docs" / "a.md").write_text("[x](../README.md#top) [y](https://a.example/b) [z](b.md)\n```\n[c](d)\n```")
    assert said(house.broken_links()) == ["the link to b.md leads nowhere"]


def test_an_excerpt_that_is_not_in_its_file_is_a_breach(house):
    (house.ROOT / "Sources/A/A.swift").write_text("struct A {\n  var a = 1\n  var b = 2\n  var c = 3\n}\n")
    guide = house.ROOT / "docs" / "a.md"
    guide.write_text("```swift Sources/A/A.swift\nstruct A {\n  …\n  var c = 3\n```\n```swift\nanything\n```\n")
    assert said(house.stale_excerpts()) == []
    for code in ("  var c = 3\n  …\n  var a = 1\n", "  var a = 2\n", "var b = 2\n"):
        guide.write_text(f"```swift Sources/A/A.swift\n{code}```\n")
        assert len(said(house.stale_excerpts())) == 1
    guide.write_text("```swift Sources/A/B.swift\nstruct A {\n```\n")
    assert len(said(house.stale_excerpts())) == 1


def test_a_statement_names_its_columns(house):
    source = house.ROOT / "Sources/A/A.swift"
    for sql, is_refused in [
        ("SELECT * FROM t", True), ("SELECT t.* FROM t", True), ("DELETE FROM t RETURNING *", True),
        ("SELECT count(*), 2 * a FROM t", False),
    ]:  # fmt: skip
        source.write_text(f'let sql = "{sql}"\n')
        assert any("names its columns" in breach for breach in house.breaches(source)) == is_refused, sql


def test_a_table_is_in_the_golden_file_of_each_engine(house):
    source = house.ROOT / "Sources/A/A.swift"
    source.write_text('let sql = "CREATE TABLE a (b INTEGER PRIMARY KEY)"\n')
    golden = house.ROOT / "Tests/Golden"
    golden.mkdir()
    (golden / "some-sqlite.sql").write_text("CREATE TABLE a (\n);\n")
    (golden / "some-postgresql.sql").write_text("CREATE TABLE ab (\n);\n")
    assert "a is in no Tests/Golden/*-postgresql.sql" in said(house.table_breaches())
    assert "a is in no Tests/Golden/*-sqlite.sql" not in said(house.table_breaches())
