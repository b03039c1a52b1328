import pytest

from pipeline.tagging.masking import BLANK, mask, without_blocks

CASES = {
    "fenced code": "see ```\nkill(me)\n```",
    "fenced code that never ends": "see ~~~\nkill me",
    "inline code": "see `kill -9`",
    "a code element": "see <pre class='x'>kill\nme</pre>",
    "a code element that never ends": "see <code>kill me",
    "a placeholder": "see <email>",
    "an address": "see https://hate.example/kill?me=1",
    "an address without scheme": "see www.kill.example",
    "someone's name": "see @kill-me",
    "an identifier": "see kill_me",
    "a path": "see ~/kill/me.py",
    "an absolute path": "see /usr/kill",
    "a Windows path": "see C:\\kill\\me",
    "a call": "see os.kill(pid,9)",
    "an option": "see --kill-me",
    "a quotation": "see\n> kill me",
    "a log's time": "see\n2024-05-06 07:08:09 kill me",
    "a log's hour": "see\n[07:08:09] kill me",
    "a log's level": "see\nERROR: kill me",
    "a traceback": 'see\n  File "kill.py", line 3, in me',
    "the head of a traceback": "see\nTraceback (most recent call last):",
    "a frame of Java's": "see\n    at org.kill.Me.run(Me.java:3)",
    "a cause of Java's": "see\nCaused by: kill me",
    "an exception": "see\njava.lang.KillError: me",
    "npm's errors": "see\nnpm ERR! kill me",
    "a patch": "see\n@@ -1,2 +3,4 @@ kill me",
    "a shell's prompt": "see\n$ kill me",
    "a prompt with a host": "see\nroot@host:~# kill me",
    "indented code": "see\n    kill = me;",
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_read_in(name: str) -> None:
    text = CASES[name]
    masked = mask(text)
    assert len(masked) == len(text)
    assert masked.startswith("see")
    assert masked[3:].strip(f"{BLANK} \n") == ""


@pytest.mark.parametrize(
    "prose",
    [
        "I hate this, really.",
        "i <3 you, a < b and c > d",
        ":slightly_smiling_face: :)",
        ">:( no",
        ">_< no",
        "and/or, he/she",
        "- a list\n- of things",
        "    indented by a person",
        "it's 10:30 now",
    ],
)
def test_prose_is_left_alone(prose: str) -> None:
    assert mask(prose) == prose


def test_prose_around_code_is_left_alone() -> None:
    assert mask("I `x` am\n> you\nsad") == f"I {BLANK * 3} am\n{BLANK * 5}\nsad"


def test_half_characters_are_blanked() -> None:
    assert mask("é\ud800 sad") == f"é{BLANK} sad"


def test_blocks_alone_are_blanked_for_who_reads_sentences() -> None:
    text = "> no\nI call `f()` at http://x.y/z\n```\nbad\n```\nERROR: bad\nok"
    assert without_blocks(text) == (
        f"{' ' * 4}\nI call `f()` at http://x.y/z\n{' ' * 11}\n{' ' * 10}\nok"
    )
