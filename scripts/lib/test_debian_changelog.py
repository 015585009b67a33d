import datetime
import os
import pathlib
import shutil
import subprocess

import pytest

from debian_changelog import debian, parse

TEXT = """\
# Changelog

Read [Keep a Changelog](https://keepachangelog.com).

## [Unreleased]

### Added

- One thing
  that needs two lines.

## [0.1.0] - 2026-11-01

Some words.

### Fixed

- Another thing.
- And a third.

[Unreleased]: https://example.org
"""
NOON = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.timezone.utc)
MAINTAINER = "A Laboratory <laboratory@example.org>"


def test_versions_are_read_with_their_entries():
    unreleased, first = parse(TEXT)
    assert (unreleased.version, unreleased.date) == ("Unreleased", None)
    assert unreleased.changes == ["One thing that needs two lines."]
    assert (first.version, str(first.date.date())) == ("0.1.0", "2026-11-01")
    assert first.changes == ["Another thing.", "And a third."]


def test_debians_form():
    assert debian(parse(TEXT), "smearscope", MAINTAINER, NOON) == """\
smearscope (0.1.0+unreleased-1) UNRELEASED; urgency=medium

  * One thing that needs two lines.

 -- A Laboratory <laboratory@example.org>  Sun, 29 Nov 2026 12:00:00 +0000

smearscope (0.1.0-1) stable; urgency=medium

  * Another thing.
  * And a third.

 -- A Laboratory <laboratory@example.org>  Sun, 01 Nov 2026 12:00:00 +0000
"""


def test_a_section_without_entries_is_left_out():
    assert [release.version for release in parse("## [Unreleased]\n\n## [1.0.0] - 2026-01-02\n- A.\n")] == ["1.0.0"]


@pytest.mark.parametrize("text", ["", "# Changelog\n", "## 0.1.0 yesterday\n- A.\n"])
def test_what_is_no_changelog_is_refused(text):
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.skipif(
    shutil.which("dpkg-parsechangelog") is None and os.environ.get("SMEARSCOPE_REQUIRE") != "all",
    reason="needs dpkg-dev")
def test_debians_tools_read_the_projects_changelog(tmp_path):
    changelog = pathlib.Path(__file__).parent.parent.parent / "firmware/CHANGELOG.md"
    file = tmp_path / "changelog"
    file.write_text(debian(parse(changelog.read_text()), "smearscope", MAINTAINER, NOON))
    output = subprocess.run(
        ["dpkg-parsechangelog", "--all", "--file", file], check=True, capture_output=True, text=True)
    assert output.stderr == ""
    assert "Source: smearscope\n" in output.stdout
