import pytest

from pipeline.tagging.language import detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I list the installed packages?", "en"),
        ("thanks, that fixed it", "en"),
        ("restart the server", "en"),
        ("No me funciona nada, ¿alguien me puede ayudar?", "es"),
        ("Das funktioniert bei mir leider überhaupt nicht", "de"),
        ("ça ne marche toujours pas chez moi", "fr"),
        ("estou com um problema na minha placa de som", "pt"),
        ("Всем привет, не работает сеть", "ru"),
        ("大家好 这个怎么安装", "zh"),
    ],
)
def test_the_language_of_a_message_is_known(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize("text", ["", "ok", "42", "?!", "😡😡", "<email>", "`sudo su`"])
def test_too_little_is_no_language(text: str) -> None:
    assert detect(text) is None


@pytest.mark.parametrize(
    "text",
    ["sudo su", "ls -la", "hm ja", "yep...exactly", "returns 42"],
)
def test_technical_english_is_no_other_language(text: str) -> None:
    assert detect(text) in {None, "en"}


@pytest.mark.parametrize(
    "text",
    ["qué bueno está", "no me gusta nada", "¡Menuda chapuza!", "y esto tan lento"],
)
def test_a_few_words_of_spanish_are_enough(text: str) -> None:
    assert detect(text) == "es"


@pytest.mark.parametrize("text", ["la la la", "el nino", "no problem", "en route"])
def test_a_word_that_spanish_has_too_makes_no_text_spanish(text: str) -> None:
    assert detect(text) != "es"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("como faço para instalar o pacote no meu computador", "pt"),
        ("questo non funziona per me, chi mi aiuta", "it"),
        ("que faire si la commande ne marche pas", "fr"),
    ],
)
def test_words_that_its_neighbours_share_make_no_text_spanish(
    text: str, language: str
) -> None:
    assert detect(text) == language


def test_code_and_addresses_say_nothing_of_the_language() -> None:
    code = "```\nwhile the world is not on fire and you can still run\n```"
    assert detect(f"{code} Das geht bei mir leider nicht https://the.and.you") == "de"


def test_half_characters_do_no_harm() -> None:
    assert detect("\ud800 No me funciona nada de esto") == "es"
