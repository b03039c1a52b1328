import time

import pytest

from connectors.redact import redact

GITHUB = "ghp_" + "a1B2" * 9
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc=\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to jo.doe+x@mail.example.co.uk.", "write to <email>."),
        ("mailto:a@example.org", "mailto:<email>"),
        ("<mailto:a@example.org|a@example.org>", "<mailto:<email>|<email>>"),
        ("jürgen@münchen.example", "<email>"),
        ("user@xn--80ak6aa92e.xn--p1ai", "<email>"),
        ("jo [at] example [dot] org", "<email>"),
        ("jo(at)example.org", "<email>"),
        ("mail jo@163.com2nd", "mail <email>2nd"),
        ("jo@laptop:~$ make", "<email>:~$ make"),
        ("root@10.0.0.5 refused", "<email> refused"),
        ("git clone git@github.com:a/b.git", "git clone <email>:a/b.git"),
    ],
)
def test_email_addresses_are_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ping 192.168.0.1.", "ping <ip>."),
        ("http://10.0.0.1:8080/x", "http://<ip>:8080/x"),
        ("10.0.0.0/24", "<ip>/24"),
        ("from fe80::1ff:fe23:4567:890a%eth0", "from <ip>%eth0"),
        ("[2001:db8::8a2e:370:7334]:443", "[<ip>]:443"),
        ("::ffff:192.0.2.128", "<ip>"),
        ("inet6 addr:2001:db8::1", "inet6 addr:<ip>"),
        ("fe80::1ff:fe23: unreachable", "<ip>: unreachable"),
        ("mac=00:1e:37:38:49:72:", "mac=<mac>:"),
        ("HWaddr 00:1e:37:38:49:72", "HWaddr <mac>"),
    ],
)
def test_network_addresses_are_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call +49 30 1234567", "call <phone>"),
        ("+1 (555) 123-4567 ext 2", "<phone> ext 2"),
        ("(555) 123-4567", "<phone>"),
        ("+49 (0)30 1234567", "<phone>"),
        ("+49/30/1234567", "<phone>"),
        ("555-123-4567", "<phone>"),
        ("fax 001 607 6970418", "fax <phone>"),
        ("my mobile is 0171 2345678", "my mobile is <phone>"),
        ("tel: 030/123 45 67", "tel: <phone>"),
        ("teléfono 912 345 678", "teléfono <phone>"),
    ],
)
def test_phone_numbers_are_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"use {GITHUB} now", "use <secret> now"),
        ("github_pat_" + "a1" * 20, "<secret>"),
        ("glpat-" + "x" * 20, "<secret>"),
        ("xoxb-123456789012-abcdefghij", "<secret>"),
        (
            "https://hooks.slack.com/services/T000/B000/XXXX",
            "https://hooks.slack.com/services/<secret>",
        ),
        ("AKIAIOSFODNN7EXAMPLE", "<secret>"),
        (JWT, "<secret>"),
        (f"key:\n{KEY}\nthanks", "key:\n<secret>\nthanks"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", "<secret>"),
        ("password=hunter2", "password=<secret>"),
        ("DB_PASSWORD: 'pa55word'", "DB_PASSWORD: '<secret>'"),
        ('"api_key": "abc123def456"', '"api_key": "<secret>"'),
        ("?access_token=abc123def456&x=1", "?access_token=<secret>&x=1"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer <secret>"),
        ("d41d8cd98f00b204e9800998ecf8427e", "<secret>"),
        ("aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gI3kM5oQ7s", "<secret>"),
        ("https://jo:pa55@example.org/x", "https://<credentials>@example.org/x"),
        ("postgres://jo:p@ss@db/x", "postgres://<credentials>@db/x"),
    ],
)
def test_secrets_are_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@jo-doe thanks", "<mention> thanks"),
        ("cc @jo.doe, @max", "cc <mention>, <mention>"),
        ("done.@jo@max@eve", "done.<mention>"),
        ("@here@jo", "<mention>"),
        ("@jo=great", "<mention>=great"),
        ("<@U123ABC>: yes", "<mention>: yes"),
        ("<@U123|jo> and <@David>", "<mention> and <mention>"),
        ("<!subteam^S012|@devs> look", "<mention> look"),
        ("@jo:matrix.org", "<mention>"),
        ("@jo@mastodon.social", "<mention>"),
        ("[@jo](https://github.com/jo)", "[<mention>](https://github.com/jo)"),
    ],
)
def test_mentions_are_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fix\n\nSigned-off-by: Jane Doe <jane@x.org>", "Signed-off-by: <mention>"),
        ("Co-authored-by: Jane Doe <jane@x.org>\r\n", "Co-authored-by: <mention>\r\n"),
        ("Reviewed-by: Jane", "Reviewed-by: <mention>"),
        ("Reported-by: Jane", "Reported-by: <mention>"),
        ("Acked-by: Jane\nyes", "Acked-by: <mention>\nyes"),
        ("tested-by:Jane", "tested-by:<mention>"),
        ("  Suggested-by: <mention> Doe", "  Suggested-by: <mention>"),
        ("Reviewed-by:\nnobody", "Reviewed-by:\nnobody"),
    ],
)
def test_the_people_in_a_commit_s_trailers_are_replaced(
    text: str, expected: str
) -> None:
    assert redact(text).endswith(expected)
    assert "Doe" not in redact(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PWD=/home/x", "PWD=/home/<user>"),
        ("/home/jane.doe/src/a.py:3: no", "/home/<user>/src/a.py:3: no"),
        ("file:///Users/jane/a", "file:///Users/<user>/a"),
        (r"C:\Users\jane\a", r"C:\Users\<user>\a"),
        (r'"C:\\Users\\jane"', r'"C:\\Users\\<user>"'),
        (r"C:\Users\Jane Doe\a", r"C:\Users\<user>\a"),
        ("C:/Users/jane and/or", "C:/Users/<user> and/or"),
        ("('/home/jane')", "('/home/<user>')"),
    ],
)
def test_the_names_of_users_in_paths_are_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> you said\n> that\nno", "<quote>\nno"),
        ("&gt; you said\nno", "<quote>\nno"),
        ("On Mon, Jan 1, 2020, Jo <j@x.org> wrote:\n> a\n\nno", "<quote>\n\nno"),
        ("On Mon, Jan 1, 2020 at 10:00 PM Jo Doe\n<j@x.org> wrote:\r\nno", "<quote>"),
        ("Am 1. Mai schrieb Jo:\n> ja\nnein", "<quote>\nnein"),
        ("Le 1 mai, Jo a écrit :\n> oui\nnon", "<quote>\nnon"),
        ("no\n-----Original Message-----\nFrom: Jo\nyes", "no\n<quote>"),
    ],
)
def test_quoted_replies_are_replaced(text: str, expected: str) -> None:
    assert redact(text).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("trey: ok", "<mention>: ok"),
        ("|trey|: ok", "<mention>: ok"),
        ("jo_, thanks", "<mention>, thanks"),
        ("HrdwrBoB, thanks", "<mention>, thanks"),
        ("jo: eve: both of you", "<mention>: <mention>: both of you"),
        ("<jo> he said", "<mention> he said"),
        ("<@jo> he said", "<mention> he said"),
        ("trey:", "<mention>:"),
    ],
)
def test_a_chat_s_addressees_are_replaced(text: str, expected: str) -> None:
    assert redact(text, chat=True) == expected


def test_outside_of_chats_a_word_before_a_colon_stays() -> None:
    assert redact("trey: ok") == "trey: ok"


@pytest.mark.parametrize(
    "text",
    [
        "note: this",
        "Problem: it fails",
        "error: no such file",
        "sorry: my fault",
        "Installation: run it",
        "TypeError: x is undefined",
        "PS: thanks",
        "E: unable to lock",
        "ok, let me try",
        "well, no",
        "JavaScript, again",
        "std::vector",
        "http://example.org",
        "12:30 is fine",
        "-h, --help",
        "<div> does not close",
        "C: is full",
    ],
)
def test_a_chat_s_ordinary_words_stay(text: str) -> None:
    assert redact(text, chat=True) == text


@pytest.mark.parametrize(
    "text",
    [
        "v1.2.3.4 and version 1.2.3.4",
        "pkg-1.2.3.4.tar.gz",
        "1.2.3.4-1ubuntu2",
        "1.2.3.4.5",
        "999.1.1.1",
        "react@16.8.0",
        "actions/checkout@v2",
        "@Override",
        "@types/node",
        "@here look",
        "//div[@name='x']",
        "a[1::2]",
        "dead::beef",
        "at 12:30:45",
        "2024-01-02 10:30",
        "+1 2016-06-01 20:35",
        "+1111111 for it",
        "1.2.3, 100 200 3000",
        "commit 1a2b3c4d5e",
        "a4e624d686e03ed2767c0abd85c14426b0b1157d"[:12],
        ">.< that hurts",
        ">:( why",
        "=> 3",
        "password: what is it?",
        "PWD=/srv/x",
        "cd /home",
        "look at /home/ and /Users/",
        "the Users/guide and users/x",
        "Signed-off-by:",
        "It was reported by: me",
        "a Reviewed-by: line is missing",
        "token: next",
        "the key is important: read",
        "keyboard = broken",
        "a < b > c",
        "I wrote: nothing",
        "testTheVeryLongNameOfAFunctionThatDoesNothing",
        "look at [this]",
        "use basic authentication-required here",
        "a:b::c and 12:30:45.123",
    ],
)
def test_what_only_looks_personal_stays(text: str) -> None:
    assert redact(text) == text


def test_an_address_spelt_inside_another_placeholder_is_left_alone() -> None:
    text = "<email> <mention> <quote> <ip> <secret> https://<credentials>@example.org"
    assert redact(text, chat=True) == text


HOSTILE = [
    "a", "@", "a@", "1.", "::", "-----BEGIN PRIVATE KEY-----", "On x wrote\n",
    "Am schrieb \n", "> \n", " \n", "eyJaaaaaaaa-", "eyJ-", "key=", "+1 ", "+1(",
    "0049 ", "tel: 1 ", "a [at] b ", "@a.", "@1", "@a:b.c", "<@", "://a@", "a@b.",
    "nick: ", "<nick> \n", "é", "SG.aaaaaaaaaaaaaaaaaaaa", "0123456789abcdef", "\r\n",
    "Acked-by:", "Acked-by: \n", "Acked-by: a\n", "/home/", "/home/a",
    "\\Users\\", "\\Users\\a ", "Users",
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_a_megabyte_of_anything_takes_bounded_time(part: str) -> None:
    text = (part * (1_000_000 // len(part) + 1))[:1_000_000]
    began = time.process_time()
    redact(text, chat=True)
    assert time.process_time() - began < 10.0


@pytest.mark.parametrize("part", HOSTILE)
def test_a_long_run_of_anything_is_redacted_at_once(part: str) -> None:
    text = redact(part * 300, chat=True)
    assert redact(text, chat=True) == text
