"""What holds of every text, not only of those that somebody thought of."""

import string

from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.redact import PLACEHOLDERS, redact

WORDS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)
NAMES = st.text(string.ascii_lowercase, min_size=2, max_size=12)
FRAGMENTS = st.sampled_from(
    [
        "@", "a", "b.c", "@bob", ":", ",", ">", "&gt;", "\n", "<@", "<quote>",
        "<email>", "<ip>", "1.2.3.4", "fe80::1", "::", "::ffff:", "On ", "wrote:",
        "\r\n", "+", "+49 ", "123", "4567", "(", ")", "-", "password=", "key:",
        "token=", "ghp_abcdefghij0123456789", "eyJabcdefghij.", "://", "user:pw@",
        "x.org", "[at]", "nick:", "-----BEGIN PRIVATE KEY-----", "Am ", "schrieb ",
        "00:11:22:33:44:55",
        "555-123-4567", "tel:", "AKIAABCDEFGHIJKLMNOP", ".", "_", "é", "ß", "<div>",
        "Acked-by:", "Signed-off-by: ", "/home/", "\\Users\\", "<user>", "/", "\\",
        "deadbeefdeadbeefdeadbeefdeadbeef", "bearer ", "<nick>", "=", "'", '"', "%",
    ]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(),
    st.lists(st.one_of(FRAGMENTS, st.just(" ")), max_size=20).map("".join),
    st.tuples(FRAGMENTS, st.integers(1, 60)).map(lambda pair: pair[0] * pair[1]),
)
EMAILS = st.builds(
    "{}.{}@{}.{}".format, NAMES, NAMES, NAMES, st.sampled_from(["com", "org", "co.uk"])
)
TOKENS = st.one_of(
    st.text(string.ascii_letters + string.digits, min_size=36, max_size=36).map(
        "ghp_{}".format
    ),
    st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16).map(
        "AKIA{}".format
    ),
    st.text(string.ascii_letters + string.digits, min_size=24, max_size=24).map(
        "xoxb-123456789012-{}".format
    ),
    st.text("0123456789abcdef", min_size=40, max_size=64),
)
SURROUNDINGS = st.text(string.ascii_letters + " \n\t,;!?()\"'", max_size=60)


@settings(deadline=None)
@given(TEXTS, st.booleans())
@example("@a:b.c@a:b.c@a:b.c@a:b.c", True)
def test_redacting_twice_changes_nothing(text: str, chat: bool) -> None:  # noqa: FBT001
    once = redact(text, chat=chat)
    assert redact(once, chat=chat) == once


@settings(deadline=None)
@given(TEXTS)
def test_the_same_text_is_always_redacted_the_same(text: str) -> None:
    assert redact(text, chat=True) == redact(text, chat=True)


@settings(deadline=None)
@given(SURROUNDINGS, EMAILS, SURROUNDINGS, st.booleans())
def test_a_planted_email_address_never_survives(
    before: str,
    email: str,
    after: str,
    chat: bool,  # noqa: FBT001
) -> None:
    redacted = redact(f"{before} {email} {after}", chat=chat)
    assert email not in redacted
    assert email.split("@", maxsplit=1)[0] not in redacted


@settings(deadline=None)
@given(SURROUNDINGS, TOKENS, SURROUNDINGS)
def test_a_planted_token_never_survives(before: str, token: str, after: str) -> None:
    assert token not in redact(f"{before} {token} {after}")


@settings(deadline=None)
@given(SURROUNDINGS, st.ip_addresses(v=4), SURROUNDINGS)
def test_a_planted_address_of_a_machine_never_survives(
    before: str, address: object, after: str
) -> None:
    # Words like "release" before it make it a version.
    text = f"{before} at {address} {after}"
    assert str(address) not in redact(text)


@settings(deadline=None)
@given(SURROUNDINGS, NAMES.map("@{}x9".format), SURROUNDINGS)
def test_a_planted_mention_never_survives(
    before: str, mention: str, after: str
) -> None:
    assert mention not in redact(f"{before} {mention} {after}")


@settings(deadline=None)
@given(st.lists(WORDS, max_size=30).map(" ".join))
def test_plain_words_gain_only_placeholders(text: str) -> None:
    words = set(redact(text).split())
    assert words <= set(text.split()) | {f"<{name}>" for name in PLACEHOLDERS}
