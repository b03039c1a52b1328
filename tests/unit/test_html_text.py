import time

import pytest

from connectors.html_text import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain", "plain"),
        ("<p>one</p><p>two <b>bold</b></p>", "one\n\ntwo bold"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
        ("fish &amp; chips &lt;3 &#x2019;&nbsp;x", "fish & chips <3 \u2019\xa0x"),
        ("<a href='x'>link</a>", "link"),
        ('<img alt="a" src="b">x', "x"),
        ("a <!-- no <p> --> b", "a b"),
        ("a <!-- never ends", "a"),
        ("<style>p {}</style>a<script>if (a < b) {}</SCRIPT >b", "ab"),
        ("a<script>never ends", "a"),
        ("<!DOCTYPE html><?xml?>a", "a"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<blockquote>you <p>said</p></blockquote>I say", "> you\n> said\n\nI say"),
        ("</blockquote>a", "a"),
        ("<pre>x  =\n 1</pre>", "x =\n1"),
        ("", ""),
    ],
)
def test_a_reader_sees_the_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "part",
    ["<", "<a ", "<aaa", "<!--", "<!--->", "<script>", "<script></STYLE>", "</", "&",
     '<a b="', "<p>", "<blockquote>", "<!", "&#", "\n", " \n"],
)  # fmt: skip
def test_a_megabyte_of_anything_takes_bounded_time(part: str) -> None:
    began = time.process_time()
    html_to_text(part * (1_000_000 // len(part)))
    assert time.process_time() - began < 5.0
