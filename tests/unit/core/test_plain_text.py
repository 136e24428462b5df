import pytest
from pydantic import ValidationError

from lsbench.core.job import Variant
from lsbench.core.plain_text import MESSAGE_BYTES, hidden_character, limited, shown, visible
from lsbench.suite.schema import PublishedRow, SuiteFile, VariantEntry


@pytest.mark.parametrize(
    "letter",
    [
        "\x00",
        "\x1b",
        "\x7f",
        "\x85",
        "\x9b",
        "\n",
        "\u202e",
        "\u2066",
        "\u2028",
        "\u200b",
        "\ufeff",
        "\ud800",
    ],
)
def test_characters_that_change_how_text_is_shown_are_found(letter):
    assert hidden_character(f"a{letter}b") == f"U+{ord(letter):04X}"
    assert hidden_character(f"a{letter}b", allowed=letter) is None
    assert shown(f"a{letter}b").isprintable()
    assert visible(f"a{letter}b") == f"a{repr(letter)[1:-1]}b"


@pytest.mark.parametrize("text", ["LS conv", "é日本", "क्\u200dष", "👩\u200d🔬", "a\u00a0b", "[red]x[/red]"])
def test_letters_of_every_script_are_fine(text):
    assert hidden_character(text) is None
    assert visible(text) == text


def test_a_long_text_is_cut_for_messages():
    assert shown("x" * 100) == "x" * 40 + "..."


@pytest.mark.parametrize("letter", ["a", "ü", "日", "\udcff", "\0"])
def test_a_message_has_a_limit_in_bytes_and_says_what_is_cut(letter):
    whole = visible(letter) * 100
    assert limited(letter * 100) == whole
    cut, _, rest = limited(letter * 10_000).partition("... (")
    assert len(cut.encode()) <= MESSAGE_BYTES
    assert whole.startswith(cut[:100])
    assert rest == f"{len((visible(letter) * 10_000).encode()) - len(cut.encode())} more bytes)"


@pytest.mark.parametrize(
    "create",
    [
        lambda text: VariantEntry(label=text),
        lambda text: Variant(name="a", model="m", dataset={}, label=text),
        lambda text: PublishedRow(name=text, published={}, reason="r"),
        lambda text: SuiteFile(version=1, name="a", variants=[{}], jobs=["train"], tags=[text]),
        lambda text: SuiteFile(version=1, name="a", variants=[{"label": text}], jobs=["train"]),
    ],
)
def test_labels_are_one_line_of_visible_text(create):
    create("LS conv [red]x[/red] :smile:")
    for text in ("a\nb", "a\tb", "a\x1b[31m", "a\u202eb", "a\u2028b", "a\rb"):
        with pytest.raises(ValidationError, match=r"does not show, or changes how text is shown"):
            create(text)
