"""Lines of generated code: assignments, functions, and where lines are broken."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

#: Lines of Python longer than this are broken where that is easily done.
WIDTH = 100


def guarded(condition: str, lines: Sequence[str]) -> list[str]:
    """The lines, under ``if condition:`` where there is one."""
    return [f"if {condition}:", *(f"    {line}" for line in lines)] if condition else list(lines)


def assigned(left: str, parts: Sequence[str], sign: str = " + ") -> list[str]:
    """left = part + part + …, on several lines where one would be too long."""
    line = f"{left} = {sign.join(parts)}"
    if len(line) <= WIDTH or len(parts) == 1:
        return [line]
    plus = sign.strip() + " "
    if sign == ", ":
        return [f"{left} = (", *wrapped(parts), ")"]
    return [f"{left} = (", f"    {parts[0]}", *(f"    {plus}{part}" for part in parts[1:]), ")"]


def listed(names: Sequence[str]) -> str:
    """A tuple of texts: ("h", "c")."""
    return "(" + tupled(f'"{name}"' for name in names) + ")"


def wrapped(parts: Sequence[str]) -> list[str]:
    """Parts with a comma behind each, as many on a line as fit, indented."""
    lines = [""]
    for part in parts:
        if len(lines[-1]) + len(part) > WIDTH - 4 and lines[-1]:
            lines.append("")
        lines[-1] += f"{part}, "
    return [f"    {line.rstrip()}" for line in lines]


def returned_dict(items: Sequence[tuple[str, str]]) -> list[str]:
    """return {"f": f, …}."""
    return ["return {", *wrapped([f'"{name}": {value}' for name, value in items]), "}"]


def tupled(names: Iterable[str]) -> str:
    """Names as a tuple without its parentheses: "d0, d1", or "d0," for one."""
    found = list(names)
    return ", ".join(found) + "," * (len(found) == 1)


def function(signature: str, doc: str, body: Iterable[str]) -> str:
    """The text of a function with a document of one line."""
    lines = [part for line in body for part in broken(line)]
    return "\n".join([f"def {signature}:", f'    """{doc}"""', *(f"    {line}" for line in lines)]) + "\n"


def broken(line: str) -> list[str]:
    """A line in several where it is too long: an assignment in parentheses, a call between its arguments."""
    if len(line) <= WIDTH or line.endswith("("):
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    left, equals, right = line.partition(" = ")
    if not equals:
        return folded(line, WIDTH, indent + "    ")
    inner = folded(right, WIDTH - len(indent) - 4)
    return [f"{left} = (", *(f"{indent}    {part}" for part in inner), f"{indent})"]


def folded(text: str, width: int, indent: str = "") -> list[str]:
    """``text`` on several lines, broken at blanks; those after the first are indented."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
