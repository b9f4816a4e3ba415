"""Folders of records for the tests of the index page, and a reader of the page that trusts nothing."""

from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

from lstm_sym.figures import panels, save_figure

VOID = {"meta", "link", "img", "source", "br", "hr", "input"}
HOSTILE = '</script><script>alert("1")</script>"><img src=https://example.org/x onerror=alert(1)>\'<!-- <style>*{}'


def record(name, **parts):
    """A record as the scripts write it, with ``parts`` in place of its own."""
    whole = {
        "name": name,
        "title": f"{name.replace('_', ' ').capitalize()}: what it shows.",
        "claim": "Gradients of size σ(b_f)^k.",
        "methods": "Some.",
        "figure": "A line.",
        "landmark": "It is a line.",
        "quick": True,
        "parameters": {"hidden": 16, "gains": [0.5, 1.0]},
        "landmarks": [{"what": "slope", "computed": 1.25, "theory": 1.0, "difference": 0.25, "error": 0.5}],
        "remarks": ["one", "two"],
        "equations": {"direct": r"\frac{\partial c_t}{\partial c_{t-1}} = \operatorname{diag}(f_t)"},
        "versions": {"lstm_sym": "0.1.0"},
    }
    return {**whole, **parts}


def write(folder: Path, name, figure=True, dark=True, **parts):
    """Write a record, and a figure, a PDF and a dark figure with it."""
    (folder / f"{name}.json").write_text(json.dumps(record(name, **parts)), encoding="utf-8")
    if figure:
        drawn, axes = panels()
        axes[0, 0].plot([0, 1], [0, len(name)])
        save_figure(drawn, folder, name)
        if dark:
            save_figure(drawn, folder, f"{name}.dark", kinds=("png",))
        (folder / f"{name}.npz").write_bytes(b"PK")


class Reading(HTMLParser):
    """The tags of a page; raises where they do not nest."""

    def __init__(self, text):
        super().__init__()
        self.raw, self.tags, self.open, self.texts = text, [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        assert len({name for name, _ in attributes}) == len(attributes), f"an attribute of {tag} comes twice"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without its beginning"
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        """What there is to read."""
        return "".join(self.texts)

    def all(self, tag):
        """The attributes of all elements of that name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def assert_closed_in(self):
        """No scripts, no handlers, no address outside of the page and its folder, no name twice."""
        names = Counter(attributes["id"] for _, attributes in self.tags if "id" in attributes)
        assert max(names.values()) == 1
        assert not {"script", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in self.tags}
        for tag, attributes in self.tags:
            assert not [name for name in attributes if name.startswith("on")]
            for name in ("src", "srcset", "href"):
                if name not in attributes:
                    continue
                address = attributes[name]
                assert address.startswith(("#", "./", "data:image/png;base64,")) or address == "data:,", address
                if tag in ("a", "use") and address.startswith("#"):
                    assert address[1:] in names, address
            assert "url(" not in attributes.get("style", "")
