#!/usr/bin/env python3
"""Prints a changelog in the format of https://keepachangelog.com as Debian's.

Entries under "Unreleased" get the version before them with "+unreleased" and the date SOURCE_DATE_EPOCH, or that of the
file.
"""

import argparse
import dataclasses
import datetime
import email.utils
import os
import pathlib
import re
import textwrap

VERSION = re.compile(r"## \[?(?P<version>[^]\s]+)\]?(?: - (?P<date>\d{4}-\d\d-\d\d))?\s*")


@dataclasses.dataclass
class Release:
    """A version with its changes; without a date if it is not released."""

    version: str
    date: datetime.datetime | None
    changes: list[str] = dataclasses.field(default_factory=list)


def parse(text):
    """The releases of a changelog, newest first. Lines that are no entry, such as those above the first, are left out."""
    releases = []
    for line in text.splitlines():
        if line.startswith("## "):
            heading = VERSION.fullmatch(line)
            if heading is None:
                raise ValueError(f"not a version and its date: {line}")
            date = heading["date"] and datetime.datetime.fromisoformat(heading["date"] + "T12:00:00+00:00")
            releases.append(Release(heading["version"], date))
        elif releases and line.startswith("- "):
            releases[-1].changes.append(line[2:].strip())
        elif releases and line.startswith("  ") and releases[-1].changes:
            releases[-1].changes[-1] += " " + line.strip()
    if not releases:
        raise ValueError("the changelog has no version")
    return [release for release in releases if release.changes]


def debian(releases, package, maintainer, today):
    """The releases as Debian's changelog has them."""
    blocks = []
    for release, before in zip(releases, releases[1:] + [None]):
        version, distribution = release.version, "stable"
        if release.date is None:
            version, distribution = f"{before.version if before else '0'}+unreleased", "UNRELEASED"
        changes = "\n".join(
            textwrap.fill(change, 78, initial_indent="  * ", subsequent_indent="    ") for change in release.changes)
        date = email.utils.format_datetime(release.date or today)
        blocks.append(
            f"{package} ({version}-1) {distribution}; urgency=medium\n\n{changes}\n\n -- {maintainer}  {date}\n")
    return "\n".join(blocks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("changelog", type=pathlib.Path)
    parser.add_argument("--package", required=True)
    parser.add_argument("--maintainer", required=True, help="Name <address>")
    options = parser.parse_args()
    epoch = float(os.environ.get("SOURCE_DATE_EPOCH", options.changelog.stat().st_mtime))
    today = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc)
    releases = parse(options.changelog.read_text(encoding="utf-8"))
    print(debian(releases, options.package, options.maintainer, today), end="")


if __name__ == "__main__":
    main()
