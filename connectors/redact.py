"""Takes what identifies people, and secrets, out of a text; a pure function.

Each rule looks for cheap evidence first, so that most texts pass untouched at the
cost of a few substring searches. Every pattern takes time linear in the text: runs
are taken whole (possessively) or are bounded, and none may start inside another.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import NamedTuple

from connectors.ordinary import is_label

PLACEHOLDERS = frozenset(
    "email phone ip mac secret credentials mention quote user".split()  # noqa: SIM905
)
_LONG_WORD = 16
_PASSES = 8

Replacement = str | Callable[[re.Match[str]], str]


class _Rules(NamedTuple):
    """Patterns to replace, in order, and what tells cheaply that none can match."""

    needs: Callable[[str], bool]
    patterns: tuple[tuple[re.Pattern[str], Replacement], ...]


def redact(text: str, *, chat: bool = False) -> str:
    """`text` with a placeholder such as `<email>` for each thing that must not stay.

    Replaced are e-mail addresses, phone numbers, IP and MAC addresses, tokens, keys
    and passwords, credentials in URLs, mentions of people, who is named in a commit's
    trailers, users' names in paths, and quoted replies; in a `chat` also the nick
    before `nick: ...`. A redacted text stays as it is when it is redacted again.
    """
    for _ in range(_PASSES):
        redacted = _pass(text, chat=chat)
        if redacted == text:
            break
        text = redacted
    return text


def _pass(text: str, *, chat: bool) -> str:
    for needs, patterns in _RULES:
        if needs(text):
            for pattern, replacement in patterns:
                text = pattern.sub(replacement, text)
    return _without_addressee(text) if chat else text


def _has_long_word(text: str) -> bool:
    return len(text) >= _LONG_WORD and max(map(len, text.split()), default=0) >= (
        _LONG_WORD
    )


# Secrets ---------------------------------------------------------------------------

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----"
    r"(?s:.*?)(?:-----END [^-\n]{0,60}-----|\Z)"
)
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"gh[pousr]_[A-Za-z0-9]{16,}+|github_pat_\w{16,}+|glpat-[\w-]{16,}+"  # forges
    r"|xox[a-z]-[\w-]{10,}+|xapp-[\w-]{10,}+"  # Slack
    r"|(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA|AIPA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS
    r"|AIza[\w-]{35}|ya29\.[\w-]{16,}+"  # Google
    r"|(?<!-)eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+)?"  # JSON web tokens
    r"|sk-[\w-]{20,}+|hf_[A-Za-z0-9]{20,}+"  # model services
    r"|[spr]k_(?:live|test)_\w{12,}+|SG\.[\w-]{16,}+\.[\w-]{16,}+"  # Stripe, SendGrid
    r"|npm_[A-Za-z0-9]{30,}+|pypi-[\w-]{30,}+|dckr_pat_[\w-]{16,}+"  # registries
    r"|[0-9]{8,10}:[\w-]{35}(?![\w-])"  # Telegram
    r")"
    r"|(?<=hooks\.slack\.com/services/)[\w/]{10,}+"
)
_ASSIGNED = re.compile(
    r"(?P<name>(?P<pass>pass(?:word|wd|phrase|code)|pwd|secret)|token|key|auth"
    r"|credentials?)\w{0,12}[\"'`]?\s{0,3}(?P<sign>=>|:=|[:=])\s{0,3}[\"'`]?"
    r"(?P<value>(?![/$({\[.\\])[^\s\"'`,;&<>]{4,}+)",
    re.IGNORECASE,
)
_BEARER = re.compile(
    r"(?:(?<=\b[bB]earer\s)|(?<=\b[bB]asic\s))(?=[^\s0-9]*+[0-9])[\w+/=.~-]{16,}+"
)
_BLOB = re.compile(
    r"(?<![A-Za-z0-9+/=_-])(?:[0-9a-fA-F]{32,}+(?![\w-])|[\w+-]{40,}+={0,2})"
)
_ASSIGNED_NEEDS = ("pass", "pwd", "secret", "token", "key", "auth", "credential")
_MIN_KEY = 8
_MIN_LETTERS_KEY = 20
_MIN_OF_EACH = 4


def _may_assign(text: str) -> bool:
    if "=" not in text and ":" not in text:
        return False
    lower = text.lower()
    return any(word in lower for word in _ASSIGNED_NEEDS)


def _without_value(match: re.Match[str]) -> str:
    value = match["value"]
    if not _is_secret(value, match["sign"], is_password=bool(match["pass"])):
        return match[0]
    return match[0][: -len(value)] + "<secret>"


def _is_secret(value: str, sign: str, *, is_password: bool) -> bool:
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    if is_password:
        # "password: what is it" is a question, "password=open" an assignment.
        return digits + letters > 0 and (sign != ":" or letters < len(value))
    return (len(value) >= _MIN_KEY and digits > 0 and letters > 0) or (
        len(value) >= _MIN_LETTERS_KEY and letters == len(value)
    )


def _without_blob(match: re.Match[str]) -> str:
    blob = match[0]
    kinds = (str.isdigit, str.isupper, str.islower)
    mixed = all(sum(map(kind, blob)) >= _MIN_OF_EACH for kind in kinds)
    is_hex = not blob.strip("0123456789abcdefABCDEF")
    return "<secret>" if is_hex or mixed else blob


# Addresses -------------------------------------------------------------------------

_CREDENTIALS = re.compile(
    r"(?<=://)[^\s/?#<>\"'@\[]{1,400}(?:@[^\s/?#<>\"'@\[]{1,99})*@"
)
_IPV6 = re.compile(
    r"(?<![0-9A-Fa-f:.])[0-9A-Fa-f:]{2,45}(?:\.[0-9]{1,3}){0,3}(?![\w:])"
)
_IPV4 = re.compile(
    r"(?<![\w.])(?<![A-Za-z]-)(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})\.){3}"
    r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})(?!\w|\.[0-9])"
    r"(?![-~+]\w{0,20}(?:ubuntu|deb|alpha|beta|rc|git|dev|el[0-9]|fc[0-9]))"
)
_OF_VERSION = re.compile(
    r"\b(?:v|ver|version|release|kernel)[.: =]{0,2}$", re.IGNORECASE
)
_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+'-]++@"  # the name
    r"(?:<ip>|(?:[\w-]+\.)+(?:xn--[\w-]+|[^\W\d_]{2,})"  # its domain
    r"|[A-Za-z][\w-]*+(?=:[~/$]))"  # or the host in a shell's prompt
)
_SPELT_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]++ ?[\[({](?:at|AT|@)[\])}] ?[\w-]++"
    r"(?:(?:\.| ?[\[({](?:dot|DOT|\.)[\])}] ?)[\w-]++)*+"
)
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}")
_IPV6_DIGITS = 4


def _may_spell_email(text: str) -> bool:
    lower = text.lower() if "[" in text or "(" in text or "{" in text else ""
    return "at" in lower or "@" in lower


def _without_ip(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 12) : match.start()]
    return match[0] if _OF_VERSION.search(before) else "<ip>"


def _without_ipv6(match: re.Match[str]) -> str:
    given = match[0]
    # Colons may stand around an address: `inet6:fe80::1`, `fe80::1: unreachable`.
    for address in (given, given[1:], given[:-1], given[1:-1]):
        placeholder = _placeholder(address)
        if placeholder:
            return given.replace(address, placeholder)
    return given


def _placeholder(address: str) -> str | None:
    if _MAC.fullmatch(address):
        return "<mac>"
    digits = [letter for letter in address if letter.isalnum()]
    # `a[1::2]` and `dead::beef` are code.
    if len(digits) < _IPV6_DIGITS or not any(map(str.isdigit, digits)):
        return None
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return None
    return "<ip>"


# Phone numbers ---------------------------------------------------------------------

_PHONE = re.compile(
    r"(?<![\w+])\+[1-9](?:(?:[ ./-]|\)[ -]?| ?\()?[0-9]){8,14}(?!\w)"
    r"|(?<![\w.-])00[1-9][0-9]?[ -](?:[ -]?[0-9]){6,12}(?!\w)"
    r"|(?<![\w.-])(?:1[ .-])?"
    r"(?:\([0-9]{3}\) ?[0-9]{3}[ .-]|[0-9]{3}(?P<by>[.-])[0-9]{3}(?P=by))"
    r"[0-9]{4}(?![\w-])"
)
_NAMED_PHONE = re.compile(
    r"(?P<name>\b(?:tele(?:phone|fon)|tel|phone|mobile|m[oó]vil|tel[eé]fono|cell|fax"
    r"|whatsapp|sms|(?:call|text|ring) me)\b(?: ?(?:is|at|on|number|no\.?|nr\.?|to))?"
    r"[.:# ]{0,3})"
    r"(?P<number>\+?[0-9(][0-9 ()./-]{5,18}[0-9])",
    re.IGNORECASE,
)
_PHONE_DIGITS = range(7, 16)
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-/. ][01]?[0-9][-/. ]")
_TWO_DIGITS = re.compile(r"[0-9]{2}")


def _may_hold_phone(text: str) -> bool:
    return _TWO_DIGITS.search(text) is not None


def _without_phone(match: re.Match[str]) -> str:
    number = match["number"] if "number" in match.re.groupindex else match[0]
    digits = sum(map(str.isdigit, number))
    if digits not in _PHONE_DIGITS or _DATE.search(number):
        return match[0]
    return match[0][: -len(number)] + "<phone>"


# People ----------------------------------------------------------------------------

_NO_PERSON = frozenset(
    """
    after afterall aftereach all angular autowired babel bean before beforeall
    beforeeach beta bind channel charset classmethod component configuration
    controller data dataclass dependabot deprecated emotion entity everyone
    example extend extends flaky font-face functionalinterface get here id ignore
    immutable implements import include inject injectable input interface ionic jest
    keyframes latest media mixin mock namespace nestjs next ngrx nonnull notnull
    nullable org output overload override param page parametrize post private property
    protected public pytest react redux repository requires reset response rest
    return returns room rollup scoped see service since skip staticmethod storybook
    supports suppresswarnings tanstack template test testing-library throws todo
    transactional type typedef types typescript-eslint value version vitejs vue
    vueuse
    """.split()  # noqa: SIM905 - decorators, tags, scopes and broadcasts, as prose
)
_SLACK_MENTION = re.compile(r"<(?:@|!subteam\^)[^<>\n]{1,80}>")
_MENTION = re.compile(
    r"(?<!\w)(?<!<credentials>)@(?P<name>[\w-]*[^\W\d][\w-]*+(?:\.[\w-]++)*+)"
    r"(?:@[\w-]++(?:\.[\w-]++)*+|:[\w-]++(?:\.[\w-]++)++)*+(?!=['\"])"
)


def _without_mention(match: re.Match[str]) -> str:
    alone = match[0] == "@" + match["name"]
    return match[0] if alone and match["name"].lower() in _NO_PERSON else "<mention>"


_TRAILER = re.compile(
    r"^(?P<label>[ \t]*+(?:Signed-off|Co-authored|Reviewed|Reported|Acked|Tested"
    r"|Suggested)-by:[ \t]*+)(?!<mention>\r?$)[^\s][^\r\n]*+",
    re.MULTILINE | re.IGNORECASE,
)
_PART = r"[^\s/\\:;,\"'`<>|()\[\]{}]"
_HOME = re.compile(
    r"(?P<home>/home/|[/\\]Users(?:/|\\{1,2}))"
    # On Windows a name may have spaces.
    rf"(?:(?<=\\){_PART}{{1,40}}(?: {_PART}{{1,40}}){{1,2}}(?=\\)|{_PART}++)"
)


def _may_hold_trailer(text: str) -> bool:
    return "-by:" in text or "-By:" in text


def _may_hold_home(text: str) -> bool:
    return "/home/" in text or "Users" in text


_QUOTED_LINES = re.compile(
    r"^[ \t]*+(?:>|&gt;)(?![.:;=_<(]).*+(?:\n[ \t]*+(?:>|&gt;).*+)*+", re.MULTILINE
)
_SAID = r"(?:(?<=wrote:)|(?<=a écrit :)|(?<=a écrit:)|(?<=escribió:)|(?<=schrieb:))"
_QUOTE_HEAD = re.compile(
    r"^[ \t]*+(?:(?:On|Am|Le|El) "
    rf"(?:[^\r\n]*+{_SAID}|[^\r\n]*+\r?\n[^\r\n]*+{_SAID})"
    r"|Am [^\n]{4,100} schrieb [^\r\n]{1,80}+(?<=:))(?=\r?$)(?:\s*+<quote>)?",
    re.MULTILINE,
)


_ORIGINAL_MESSAGE = re.compile(
    r"^[ \t]*+-{2,20} ?(?:Original|Forwarded) [Mm]essage ?-{2,20}(?s:.*)", re.MULTILINE
)

_CHAT_QUOTE = re.compile(
    r"^[ \t]*+<[ @+%~&]?(?P<nick>[A-Za-z_\[\]\\`^{}|][\w\[\]\\`^{}|.-]{0,31})>(?=\s)",
    re.MULTILINE,
)
_ADDRESSEE = re.compile(
    r"\s*+(?P<nick>[\w\[\]\\`^{}|][\w\[\]\\`^{}|-]{0,31})(?P<sign>[:,])(?=\s|$)",
    re.ASCII,
)
_NICK_SHAPE = re.compile(r"[_\[\]\\`^{}|]|[a-z][A-Z]|-$|[a-z][0-9]|[0-9][A-Za-z]")
_HTML = frozenset(
    """
    a abbr article aside audio b blockquote body br button canvas code col dd details
    div dl dt em embed fieldset figure footer form h1 h2 h3 h4 h5 h6 head header hr
    html i iframe img input kbd label li link main meta nav ol option p pre script
    section select span strong style sub summary sup svg table tbody td template
    textarea tfoot th thead title tr tt u ul video
    """.split()  # noqa: SIM905 - names of tags, as prose
)


def _may_head_quote(text: str) -> bool:
    return "wrote" in text or "schrieb" in text or "écrit" in text or "escribió" in text


def _without_addressee(text: str) -> str:
    if "<" in text:
        text = _CHAT_QUOTE.sub(_without_quoted_nick, text)
    start = 0
    parts = []
    while (match := _ADDRESSEE.match(text, start)) and _is_nick(match):
        parts.append(text[start : match.start("nick")] + "<mention>" + match["sign"])
        start = match.end()
    return "".join(parts) + text[start:] if parts else text


def _without_quoted_nick(match: re.Match[str]) -> str:
    nick = match["nick"].lower()
    return match[0] if nick in PLACEHOLDERS or nick in _HTML else "<mention>"


def _is_nick(match: re.Match[str]) -> bool:
    nick, sign = match["nick"], match["sign"]
    if is_label(nick) or not any(map(str.isalpha, nick)):
        return False
    return sign == ":" or _NICK_SHAPE.search(nick) is not None


_RULES = (
    _Rules(lambda text: "PRIVATE KEY" in text, ((_PRIVATE_KEY, "<secret>"),)),
    _Rules(lambda text: ">" in text or "&gt;" in text, ((_QUOTED_LINES, "<quote>"),)),
    _Rules(_may_head_quote, ((_QUOTE_HEAD, "<quote>"),)),
    _Rules(_may_hold_trailer, ((_TRAILER, r"\g<label><mention>"),)),
    _Rules(lambda text: "--" in text, ((_ORIGINAL_MESSAGE, "<quote>"),)),
    _Rules(lambda text: "<@" in text or "<!" in text, ((_SLACK_MENTION, "<mention>"),)),
    _Rules(
        lambda text: "://" in text and "@" in text,
        ((_CREDENTIALS, "<credentials>@"),),
    ),
    _Rules(_has_long_word, ((_TOKEN, "<secret>"),)),
    _Rules(_may_assign, ((_ASSIGNED, _without_value),)),
    _Rules(lambda text: "earer " in text or "asic " in text, ((_BEARER, "<secret>"),)),
    _Rules(lambda text: text.count(":") > 1, ((_IPV6, _without_ipv6),)),
    _Rules(lambda text: text.count(".") > 2, ((_IPV4, _without_ip),)),  # noqa: PLR2004
    _Rules(
        lambda text: "@" in text, ((_MENTION, _without_mention), (_EMAIL, "<email>"))
    ),
    _Rules(_may_spell_email, ((_SPELT_EMAIL, "<email>"),)),
    _Rules(_may_hold_phone, ((_PHONE, _without_phone), (_NAMED_PHONE, _without_phone))),
    _Rules(_may_hold_home, ((_HOME, r"\g<home><user>"),)),
    _Rules(_has_long_word, ((_BLOB, _without_blob),)),
)
