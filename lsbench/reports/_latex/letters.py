"""Text as LaTeX writes it: accents, Greek letters, signs of mathematics, and signs that mean something to it.

What is written is ASCII and needs no package, whatever the encoding of fonts and file.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from lsbench.rendering.wrapping import wrap
from lsbench.reports._latex.symbols import ACCENTS, MATHEMATICS, SIGNS

#: Neighbours that a font would join into one sign.
_JOINED = {"--", "``", "''", ",,", "!`", "?`", "<<", ">>"}
_CODE_POINT = re.compile(r"\[U\+([0-9A-F]{4,6})\]")
#: What may be raised or lowered as it is.
_IN_MATHEMATICS = re.compile(r"[\w+=()]+|\$[^$]+\$")
#: Longer words may be broken.
_LONGEST = 16


def escape(text: str) -> str:
    r"""Return a text as LaTeX writes it; letters that its usual fonts lack are shown by their code point.

    >>> escape("50 % of A_B")
    '50 \\% of A\\_B'
    >>> escape("\u03b1 \u2264 2\u00b2, Caf\u00e9 \u4e2d")
    "$\\alpha$ $\\leq$ 2$^{2}$, Caf\\'{e} [U+4E2D]"
    """
    found: list[str] = []
    for letter in unicodedata.normalize("NFC", " ".join(text.split())):
        if letter in ACCENTS and found:
            found[-1] = _accented(found[-1], letter)
        else:
            found.append(_written(letter))
    return _apart(found)


def escape_lines(text: str) -> str:
    r"""Return a text of several lines as LaTeX writes it; long words may also go on in the next line.

    >>> escape_lines("the protocol of_many|parts=and|words")
    'the protocol of\\_many\\textbar{}\\allowbreak{}parts=and\\textbar{}words'
    """
    words = ("\\allowbreak{}".join(map(escape, wrap(word, _LONGEST))) for word in text.split())
    return " ".join(words).replace(" \\%", "~\\%")


def lacking(text: str) -> list[str]:
    """Return the letters of a text that stand as code points in what :func:`escape` gives, once each."""
    return [letter for letter in dict.fromkeys(text) if _CODE_POINT.fullmatch(_written(letter))]


@lru_cache(maxsize=4096)
def _written(letter: str) -> str:
    if letter in SIGNS:
        return SIGNS[letter]
    if letter in MATHEMATICS:
        return f"${MATHEMATICS[letter]}$"
    if " " <= letter <= "~":
        return letter
    return _decomposed(letter)


def _decomposed(letter: str) -> str:
    """Return a letter that is made of others: accented, raised, in another style or joined."""
    kind, *codes = unicodedata.decomposition(letter).split() or ["", ""]
    if not kind:
        return f"[U+{ord(letter):04X}]" if letter.isprintable() and not unicodedata.combining(letter) else ""
    if not kind.startswith("<"):
        base, mark = _written(chr(int(kind, 16))), chr(int((codes or ["0"])[0], 16))
        return _accented(base, mark) if codes else base
    parts = _apart([_written(chr(int(code, 16))) for code in codes])
    raised = {"<super>": "^", "<sub>": "_"}.get(kind)
    return f"${raised}{{{parts.strip('$')}}}$" if raised and _IN_MATHEMATICS.fullmatch(parts) else parts


def _accented(base: str, mark: str) -> str:
    in_text, in_mathematics = ACCENTS.get(mark, ("", ""))
    if base.startswith("$") and base.endswith("$"):
        return f"$\\{in_mathematics}{{{base[1:-1]}}}$" if in_mathematics else base
    if not in_text:
        return base
    if in_text not in "cdb":  # an accent above replaces the dot
        base = {"i": "\\i", "j": "\\j"}.get(base, base)
    return f"\\{in_text}{{{base.strip()}}}"


def _apart(parts: list[str]) -> str:
    """Return parts as one text, in which no neighbours become one sign."""
    text = ""
    for part in parts:
        text += "{}" if text and part and text[-1] + part[0] in _JOINED else ""
        text += part
    return text
