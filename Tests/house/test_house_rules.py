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


def test_a_limit_that_no_test_names_is_a_breach(house):
    tests = house.ROOT / "Tests/A/ATests.swift"
    tests.write_text("limits.queue = 1\nlimits.waits = 1")
    assert said(house.limits_without_test()) == [f"no test names {name}" for name in ("wait", "size", "page")]
    tests.write_text("limits.queue wait size ALimits.page")
    assert said(house.limits_without_test()) == []


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
