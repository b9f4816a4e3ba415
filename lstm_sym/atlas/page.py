"""The whole page: a table of contents, the figures, and how they were made, in one file that needs no other."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path

from lstm_sym import __version__
from lstm_sym.atlas.entries import Entry, read
from lstm_sym.atlas.glyphs import GlyphSheet
from lstm_sym.atlas.prose import prose
from lstm_sym.atlas.sections import anchors, heading, section, verdict
from lstm_sym.files import write_text

#: By this the page is known as one that may be replaced.
GENERATOR = '<meta name="generator" content="lstm_sym atlas">'
#: Nothing is fetched and nothing is run, whatever a record may hold.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
TITLE = "An atlas of gradient flow in recurrent networks"


def index(folder: str | os.PathLike[str], force: bool = False) -> Path:
    """Write ``folder``/index.html, a page of all the figures whose records are in ``folder``; returns its path.

    The page is one file: images are inside, equations are drawn, and nothing is fetched from anywhere. It shows,
    for each record NAME.json that an analysis has left, the claim, the figure, landmarks beside their theory,
    equations, parameters, and the command that makes it. Equal folders give equal bytes.

    Args:
        folder: where the analyses wrote to (their ``--out``).
        force: replace an index.html that is somebody else's.

    Raises:
        FileNotFoundError: there is no such folder, or no record in it.
        FileExistsError: there is an index.html that this function did not write, and no ``force``.
    """
    path = Path(folder)
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: expected a folder with the records of analyses.")
    target = path / "index.html"
    if target.exists() and not force and not _ours(target):
        raise FileExistsError(f"{target} is there already and was not made here. Move it, or give force=True.")
    entries, left_out = read(path)
    if not entries:
        why = "".join(f" {name}: {reason}" for name, reason in left_out.items())
        raise FileNotFoundError(f"{path}: no record of an analysis here. `lstm-sym figures` makes them.{why}")
    return write_text(target, page(entries, left_out))


def page(entries: Sequence[Entry], left_out: Mapping[str, str]) -> str:
    """The HTML of the page; ``left_out``: by file name, why a file is no entry."""
    sheet, ids = GlyphSheet(), anchors(entries)
    sections = "\n".join(section(entry, k, ids[entry.name], sheet) for k, entry in enumerate(entries, start=1))
    quick = Counter(entry.quick for entry in entries)
    kind = "The quick version: small networks, short horizons." if quick[True] else ""
    lead = (
        "How gradients vanish, survive and explode in recurrent networks: each figure with its claim, "
        "its computed numbers beside their theoretical values, and the command that makes it."
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{GENERATOR}
<title>{TITLE}</title>
<link rel="icon" href="data:,">
<style>
{_style()}</style>
</head>
<body>
<a class="skip" href="#figures">Skip to the figures</a>
{sheet.definitions()}
<header class="top">
<h1>{TITLE}</h1>
<p class="lead">{lead}</p>
{f'<p class="kind">{kind}</p>' if kind else ""}
</header>
{_contents(entries, ids)}
<main id="figures">
{sections}
{_left_out(left_out)}
</main>
<footer class="end">
<p>{_EXPLAINED}</p>
<p>Made by lstm_sym {escape(__version__)}: <code>lstm-sym figures --dark</code>.</p>
</footer>
</body>
</html>
"""


_EXPLAINED = (
    "<strong>Landmarks.</strong> Each computed number stands beside its theoretical value. The stated error is one "
    "standard deviation where it is a sampling error, else a tolerance. <span class='within'>✓</span> within it; "
    "<span class='near'>○</span> up to twice as large (of sampling errors, about one in three is beyond one); "
    "<span class='beyond'>▲</span> up to 4.5 times; <span class='far'>▲▲</span> more than that, or undefined."
)


def _contents(entries: Sequence[Entry], ids: Mapping[str, str]) -> str:
    rows = []
    for entry in entries:
        name, subtitle = heading(entry)
        kind, said = verdict(entry.landmarks)
        rows.append(
            f'<li><a href="#{escape(ids[entry.name])}">{prose(name)}</a>'
            f'<span class="about">{prose(subtitle)}</span><span class="verdict {kind}">{escape(said)}</span></li>'
        )
    return f'<nav aria-label="Figures"><h2>Figures</h2><ol>{"".join(rows)}</ol></nav>'


def _left_out(left_out: Mapping[str, str]) -> str:
    if not left_out:
        return ""
    rows = "".join(f"<li><code>{escape(name)}</code>: {escape(why)}</li>" for name, why in left_out.items())
    return f'<section id="left-out" class="note"><h2>Left out</h2><ul>{rows}</ul></section>'


def _ours(target: Path) -> bool:
    """Whether a file is a page that this module wrote."""
    with target.open("rb") as file:
        return GENERATOR.encode() in file.read(4096)


@cache
def _style() -> str:
    return (files("lstm_sym.atlas") / "page.css").read_text(encoding="utf-8")
