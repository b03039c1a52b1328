"""The text of a piece of HTML, in time linear in its length.

Python's own HTML parser takes quadratic time on tags that never close, and a feed may
hold anything. A tag ends here at the next angle bracket, whichever it is.
"""

import re
from html import unescape

_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][\w-]*+)[^<>]*+>|<!--|<[!?][^<>]*+>")
_BLOCKS = frozenset(
    """
    address article aside blockquote br dd details div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table
    tr ul
    """.split()  # noqa: SIM905 - names of tags, as prose
)
_ENDS_UNSEEN = {
    name: re.compile(rf"</{name}[^<>]*+>?", re.IGNORECASE)
    for name in ("script", "style", "template", "head", "noscript", "svg")
}
_ENDS_COMMENT = re.compile("-->")
_SPACES = re.compile(r"[ \t\r\f\v]+")
_BLANK_LINES = re.compile(r"\n{3,}")


def html_to_text(html: str) -> str:
    """What a reader sees of `html`, a line per block, a quote's behind ">"."""
    parts: list[str] = []
    position, depth = 0, 0
    while match := _TAG.search(html, position):
        parts.append(unescape(html[position : match.start()]))
        name = (match["name"] or "").lower()
        position = match.end()
        if match[0] == "<!--":
            position = _behind(_ENDS_COMMENT, html, position)
        elif name in _ENDS_UNSEEN and not match["end"]:
            position = _behind(_ENDS_UNSEEN[name], html, position)
        elif name == "blockquote":
            depth = max(0, depth - 1) if match["end"] else depth + 1
            parts.append(_line_break(depth))
        elif name in _BLOCKS:
            parts.append(_line_break(depth))
    parts.append(unescape(html[position:]))
    return _tidy("".join(parts))


def _line_break(depth: int) -> str:
    return "\n> " if depth else "\n"


def _behind(end: re.Pattern[str], html: str, position: int) -> int:
    """Where to go on behind `end`; the end of all where it never comes."""
    match = end.search(html, position)
    return match.end() if match else len(html)


def _tidy(text: str) -> str:
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    lines = ("" if line == ">" else line for line in lines)
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
