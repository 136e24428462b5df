import math

import pytest
import yaml

from lsbench.suite.yaml_scalars import plain_value, tagged_value

TAG = "tag:yaml.org,2002:"
VALUES = {
    "8": 8,
    "-8": -8,
    "+8": 8,
    "0": 0,
    "0x1F": 31,
    "1e-3": 0.001,
    "1E3": 1000.0,
    "-1.5e-05": -1.5e-05,
    ".5": 0.5,
    "1.": 1.0,
    "0.5": 0.5,
    "-.inf": -math.inf,
    "true": True,
    "False": False,
    "": None,
    "~": None,
    "null": None,
    "9223372036854775807": 2**63 - 1,
    "tRuE": "tRuE",
    "ls_conv": "ls_conv",
    "2025-02-30": "2025-02-30",
    "2025-02-28": "2025-02-28",
    "2025-02-30 10:00:00": "2025-02-30 10:00:00",
    "=": "=",
    ".": ".",
    "-": "-",
    "y": "y",
    "e3": "e3",
    "1e": "1e",
    "v1_0": "v1_0",
    "3x3": "3x3",
    "1.2.3": "1.2.3",
}
REFUSED = [
    *("yes", "Yes", "YES", "no", "on", "ON", "off", "Off"),
    *(
        "010",
        "0123",
        "-010",
        "08",
        "00",
        "010.5",
        "0_",
        "0o17",
        "0b1",
        "0b_",
        "0b",
        "0x_",
        "0x",
        "0x1_F",
        "-0x1",
    ),
    *("1_000", "1_000.5", "1.0_5", "1__0", "1:30", "1:30.5", "-1:30", "1:30:30", "16:9", "0:59"),
    *("9223372036854775808", "-9223372036854775809", "0x8000000000000000", "9" * 5000, "0x" + "f" * 5000),
    *("1e999", "-1e999"),
]


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_a_plain_text_is_read_as_yaml_1_2_says(text, value):
    found = plain_value(text)
    assert (type(found), found) == (type(value), value)


def test_nan_is_a_number():
    assert math.isnan(plain_value(".nan"))


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:24])
def test_a_text_that_could_mean_something_else_is_refused_in_one_short_line(text):
    with pytest.raises(ValueError, match=r"expected|too large") as caught:
        plain_value(text)
    assert len(str(caught.value)) < 260
    assert "\n" not in str(caught.value)


def grid(letters, length):
    texts = [""]
    for _ in range(length):
        texts += [text + letter for text in texts if len(text) == len(texts[-1]) for letter in letters]
    return sorted(set(texts))


def test_every_short_number_of_yaml_1_1_is_read_as_the_same_value_or_refused():
    """PyYAML follows YAML 1.1: no text that it takes for a number silently becomes another value here."""
    for text in grid("01_.:e-xb", 5):
        try:
            ours = plain_value(text)
        except ValueError:
            continue
        try:
            theirs = yaml.safe_load(text) if text else None
        except (ValueError, yaml.YAMLError):
            theirs = text
        if isinstance(theirs, int | float):
            assert (ours, type(ours)) == (theirs, type(theirs)), text
        elif not isinstance(ours, int | float):
            assert ours is None or isinstance(ours, str)
        else:
            assert ours == float(text), text  # an exponent without a dot or a sign


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("str", "8", "8"), ("int", "8", 8), ("float", "8", 8.0), ("bool", "true", True), ("null", "", None)],
)
def test_a_tag_of_a_plain_type_is_followed(kind, text, value):
    found = tagged_value(TAG + kind, text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("tag", "text", "reason"),
    [
        (f"{TAG}int", "foo", "foo is not a value of the tag !!int"),
        (f"{TAG}int", "1.5", "1.5 is not a value"),
        (f"{TAG}int", "true", "true is not a value"),
        (f"{TAG}int", "0b_", "expected a decimal number"),
        (f"{TAG}bool", "foo", "foo is not a value of the tag !!bool"),
        (f"{TAG}float", "foo", "foo is not a value"),
        (f"{TAG}timestamp", "2025-02-30", "the tag !!timestamp is not supported"),
        (f"{TAG}binary", "a", "the tag !!binary is not supported"),
        (
            f"{TAG}python/object/apply:os.system",
            "ls",
            "the tag !!python/object/apply:os.system is not supported",
        ),
        ("!own", "x", "the tag !own is not supported"),
    ],
)
def test_another_tag_or_value_is_refused(tag, text, reason):
    with pytest.raises(ValueError, match=reason):
        tagged_value(tag, text)
