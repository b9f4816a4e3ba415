"""One figure of the atlas as a section of the page."""

from __future__ import annotations

import json
import math
import re
import shlex
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from lstm_sym.atlas.entries import Entry, Mark, Picture, printable
from lstm_sym.atlas.equations import equation
from lstm_sym.atlas.glyphs import GlyphSheet
from lstm_sym.atlas.numbers import number, short
from lstm_sym.atlas.prose import prose

#: Beyond this many stated errors a difference is no chance any more: what the project's tests allow.
FAR = 4.5
#: Up to this many it is nothing to speak of: a third of all sampling errors exceed one standard deviation.
NEAR = 2.0
#: Other ids of the page: its parts, and the outlines of signs.
_TAKEN = re.compile(r"figures|left-out|g\d+")
#: Pixels per inch of paper of the figures.
RESOLUTION = 220
#: Equations with more lines are folded.
LINES = 8
_KINDS = {".png": "PNG", ".pdf": "PDF", ".npz": "numbers (.npz)", ".json": "record (.json)"}


def anchors(entries: Sequence[Entry]) -> dict[str, str]:
    """By name, the id of the section of each figure: like its name, and none twice."""
    found: dict[str, str] = {}
    for entry in entries:
        name = re.sub(r"[^\w.-]", "-", entry.name)
        while name in found.values() or _TAKEN.fullmatch(name):
            name += "-"
        found[entry.name] = name
    return found


def heading(entry: Entry) -> tuple[str, str]:
    """The name of a figure and what it shows, from "Name: one sentence."."""
    name, colon, rest = entry.title.partition(":")
    if not colon or len(name) > 60:
        return entry.title, ""
    return name.strip(), rest.strip()[:1].upper() + rest.strip()[1:]


def section(entry: Entry, place: int, anchor: str, sheet: GlyphSheet) -> str:
    """The section of ``entry``, figure number ``place``, with ``anchor`` for its id."""
    name, subtitle = heading(entry)
    lead = f'<p class="subtitle">{prose(subtitle)}</p>' if subtitle else ""
    parts = [
        f'<header><p class="place">Figure {place}</p><h2>{prose(name)}</h2>{lead}</header>',
        _paragraph("claim", entry.texts.get("claim", "")),
        _figure(entry, name),
        _landmarks(entry),
        _equations(entry, sheet),
        *_folded(entry),
        _making(entry),
    ]
    return f'<section id="{escape(anchor)}">\n' + "\n".join(filter(None, parts)) + "\n</section>"


def verdict(marks: tuple[Mark, ...]) -> tuple[str, str]:
    """How the landmarks of a figure fare, for the table of contents: a class and a text."""
    if not marks:
        return "none", "no landmarks"
    beyond = [mark.multiple for mark in marks if mark.multiple > 1]
    undefined = sum(math.isnan(mark.difference) for mark in marks)
    unstated = sum(math.isnan(mark.multiple) for mark in marks) - undefined
    said = f"{len(marks)} landmark{'s' * (len(marks) > 1)}"
    if beyond:
        worst = f"up to {max(beyond):.1f}" if max(beyond) < 100 else "over 100"
        said += f", {len(beyond)} beyond the stated error ({worst}\u00a0×)"
    elif unstated + undefined < len(marks):
        said += ", within the stated errors"
    said += f", {unstated} without an error" * bool(unstated) + f", {undefined} undefined" * bool(undefined)
    return "far" if undefined else _kind(max(beyond, default=0.0)), said


def _kind(multiple: float) -> str:
    """How a difference of so many stated errors is shown."""
    kinds = {1.0: "within", NEAR: "near", FAR: "beyond", math.inf: "far"}
    return next(kind for limit, kind in kinds.items() if multiple <= limit)


def _paragraph(kind: str, text: str) -> str:
    return f'<p class="{kind}">{prose(text)}</p>' if text else ""


def _figure(entry: Entry, name: str) -> str:
    caption = prose(entry.texts.get("figure", ""))
    if entry.picture is None:
        note = f"There is no readable {escape(entry.name)}.png beside the record."
        return f'<p class="note" role="note">{note}</p>'
    alt = " ".join(filter(None, (entry.title, entry.texts.get("figure", ""))))
    natural = round(96 / RESOLUTION * entry.picture.width)
    size = f'width="{entry.picture.width}" height="{entry.picture.height}" style="--natural:{natural}px"'
    image = f'<img src="{_data(entry.picture)}" alt="{escape(alt)}" {size} decoding="sync">'
    if entry.dark is not None:
        media = "screen and (prefers-color-scheme: dark)"
        image = f'<picture><source media="{media}" srcset="{_data(entry.dark)}">{image}</picture>'
    kind = "" if entry.dark is not None else ' class="light"'
    scroll = f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(name)}, figure">{image}</div>'
    return f"<figure{kind}>{scroll}" + (f"<figcaption>{caption}</figcaption>" if caption else "") + "</figure>"


def _data(picture: Picture) -> str:
    return f"data:image/png;base64,{b64encode(picture.data).decode('ascii')}"


def _landmarks(entry: Entry) -> str:
    if not entry.landmarks:
        return ""
    columns = ("landmark", "computed", "theory", "difference", "stated error", "difference ÷ error")
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    rows = "\n".join(_row(mark, columns) for mark in entry.landmarks)
    explained = _paragraph("explained", entry.texts.get("landmark", ""))
    caption = f'<caption class="unseen">Landmarks of {prose(heading(entry)[0])}</caption>'
    table = f'<table class="landmarks">{caption}<thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>'
    return f"<h3>Landmarks</h3>{explained}{table}"


def _row(mark: Mark, columns: tuple[str, ...]) -> str:
    multiple = mark.multiple
    if math.isnan(mark.difference):
        kind, said = "far", "undefined"
    elif math.isnan(multiple):
        kind, said = "none", "—"
    else:
        kind = _kind(multiple)
        said = "≤ 0.01" if multiple <= 0.01 else f"{multiple:.1f}" if 1 < multiple < 100 else short(multiple)
    symbol = {"within": "✓", "near": "○", "beyond": "▲", "far": "▲▲", "none": ""}[kind]
    values = (mark.computed, mark.theory, mark.difference, mark.error)
    error = mark.error if mark.error > 0 else math.nan
    shown = [number(mark.computed, error), number(mark.theory, error), short(mark.difference)]
    shown += ["—" if math.isnan(mark.error) else f"± {short(mark.error)}"]
    cells = "".join(
        f'<td data-label="{column}"><data value="{value!r}">{text}</data></td>'
        for column, value, text in zip(columns[1:5], values, shown, strict=True)
    )
    said = f'<span>{said}<span class="mark">{symbol}</span></span>'
    outcome = f'<td data-label="{columns[5]}" class="{kind}">{said}</td>'
    return f'<tr><th scope="row">{prose(mark.what)}</th>{cells}{outcome}</tr>'


def _equations(entry: Entry, sheet: GlyphSheet) -> str:
    if not entry.equations:
        return ""
    rows = "\n".join(
        f"<dt>{prose(label)}</dt><dd>{_formula(latex, sheet)}"
        f'<details class="source"><summary>LaTeX</summary><pre><code>{escape(latex)}</code></pre></details></dd>'
        for label, latex in entry.equations.items()
    )
    return f'<h3>Equations</h3><dl class="equations">\n{rows}\n</dl>'


def _formula(latex: str, sheet: GlyphSheet) -> str:
    """An equation, folded if it has many lines."""
    lines = 1 + latex.count(r"\\") if r"\begin{align" in latex else 1
    drawn = equation(latex, sheet)
    return f'<details class="long"><summary>{lines} lines</summary>{drawn}</details>' if lines > LINES else drawn


def _folded(entry: Entry) -> Iterator[str]:
    """What is there for those who open it; the methods are open."""
    lines = escape("\n".join(entry.remarks))
    parts = {
        "Methods": _paragraph("methods", entry.texts.get("methods", "")),
        "What the run said": lines and f'<pre class="remarks">{lines}</pre>',
        "Parameters": _table("Parameters", entry.parameters),
        "Versions": _table("Versions", entry.versions),
    }
    for title, text in parts.items():
        if text:
            shown = " open" * (title == "Methods")
            yield f'<details class="fold"{shown}><summary>{title}</summary>{text}</details>'


def _table(title: str, values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    shown = {key: _value(value) for key, value in values.items()}
    rows = "".join(f'<tr><th scope="row">{escape(k)}</th><td>{escape(v)}</td></tr>' for k, v in shown.items())
    return f'<table class="values"><caption class="unseen">{title}</caption><tbody>{rows}</tbody></table>'


def _value(value: Any) -> str:
    """A parameter in a few words: as JSON, numbers in short."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, dict):
        return "; ".join(f"{printable(key)}: {_value(item)}" for key, item in value.items())
    return printable(json.dumps(value))


def _making(entry: Entry) -> str:
    """The command that makes the figure, and the files beside it."""
    command = entry.command or f"lstm-sym figures {shlex.quote(entry.name)}" + " --quick" * entry.quick
    words = " ".join(f"<span>{escape(word)}</span>" for word in command.split(" "))
    links = " · ".join(
        f'<a href="./{escape(quote(file))}">{kind}</a>'
        for kind, file in ((_KINDS["." + file.rpartition(".")[2]], file) for file in entry.files)
    )
    missing = f' <span class="missing">not here: {escape(", ".join(entry.missing))}</span>' if entry.missing else ""
    return f'<footer><code class="command">{words}</code><p>{links}{missing}</p></footer>'
