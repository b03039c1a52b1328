"""Blank out what nobody said: code, addresses, logs, quotations, placeholders.

Words in them ("kill", "fatal", "happy_path") are no feelings. Every masked character
becomes one `BLANK`, so that places in the masked text are places in the original.
"""

import re

BLANK = "\x00"

_FENCED = re.compile(r"(```|~~~).*?(?:\1|\Z)", re.DOTALL)
_INLINE = re.compile(r"`[^`\n]+`")
_CODE_ELEMENT = re.compile(
    r"<(pre|code)\b[^<>]{0,200}>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE
)
_TAG = re.compile(r"<(?=[A-Za-z/!@#:])[^<>\n]{0,100}>")
_URL = re.compile(r"(?<!\w)[A-Za-z][\w+.-]{0,20}://\S+")
_WWW = re.compile(r"(?<!\w)www\.\S+", re.IGNORECASE)
_MENTION = re.compile(r"@[\w-]+")
_SNAKE = re.compile(r"(?<![\w:])[^\W_]+_+[^\W_]\w*")
_PATH = re.compile(r"(?<![\w/])(?:~|\.{1,2})?/[\w.@+-]+(?:/[\w.@+-]*)+")
_WINDOWS_PATH = re.compile(r"(?<!\w)[A-Za-z]:\\\S+")
_CALL = re.compile(r"(?<![\w.])[A-Za-z][\w.]*\([^()\s]*\)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_OPTION = re.compile(r"(?<!\S)--[A-Za-z][\w-]*")
_LINES = re.compile(
    r"""^[ \t]*+(?:
      >(?![_:;.\-]?[<>(]).*                               # a quotation
    | \[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*                   # a log's time
    | \[?\d\d:\d\d:\d\d\b.*
    | \[?(?:ERROR|WARN(?:ING)?|INFO|DEBUG|FATAL|TRACE|SEVERE|CRITICAL)\b[]:|,\s].*
    | Traceback[ ]\(most[ ]recent.*                       # stack traces
    | File[ ]".*",[ ]line[ ]\d+.*
    | at[ ][\w.$<>/]+[ ]?\(.*
    | Caused[ ]by:.*
    | (?:[a-z]\w*+\.)*+[A-Z]\w*(?:Error|Exception|Warning):.*
    | npm[ ]ERR!.*
    | (?:diff[ ]--git|@@[ ]-|\+\+\+[ ]|---[ ][ab]/).*     # patches
    | [$%][ ]\S.*                                         # a shell's prompt
    | \w[\w.-]*+@[\w.-]++[:~/\w-]*+[$\#][ ].*
    )$
    | ^(?:[ ]{4}|\t)(?=[^\n]*[{}();=<>$]).*$             # indented code
    """,
    re.MULTILINE | re.VERBOSE,
)

# What to blank, each sought only where the characters it cannot lack occur. The
# order matters: fences hold anything, and addresses look like paths.
_RULES = (
    ("`", _FENCED),
    ("~~~", _FENCED),
    ("`", _INLINE),
    ("<", _CODE_ELEMENT),
    ("<", _TAG),
    ("://", _URL),
    ("www.", _WWW),
    ("@", _MENTION),
    ("_", _SNAKE),
    ("/", _PATH),
    ("\\", _WINDOWS_PATH),
    ("(", _CALL),
    ("--", _OPTION),
)
_BLOCKS = (("`", _FENCED), ("~~~", _FENCED), ("<", _CODE_ELEMENT))


def mask(text: str) -> str:
    """`text` with everything that is not prose blanked, of the same length.

    Takes time linear in the text's length.
    """
    masked = _LINES.sub(_blank, text)
    for needed, pattern in _RULES:
        if needed in masked:
            masked = pattern.sub(_blank, masked)
    return masked if masked.isascii() else _SURROGATE.sub(BLANK, masked)


def without_blocks(text: str) -> str:
    """`text` with spaces for code blocks, logs and quoted lines, of the same length.

    For who reads sentences: there, code and addresses within one belong to it.
    """
    for needed, pattern in _BLOCKS:
        if needed in text:
            text = pattern.sub(_space, text)
    return _LINES.sub(_space, text)


def _blank(match: re.Match[str]) -> str:
    return BLANK * (match.end() - match.start())


def _space(match: re.Match[str]) -> str:
    return " " * (match.end() - match.start())
