# ruff: noqa: RUF001, E501
import unicodedata

import pytest

from lsbench.reports._latex.letters import escape, escape_lines, lacking


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50% & $x_1$ #2 {a}", "50\\% \\& \\$x\\_1\\$ \\#2 \\{a\\}"),
        ("\\input{x}", "\\textbackslash{}input\\{x\\}"),
        (
            "a~b^c`d|e<f>",
            "a\\textasciitilde{}b\\textasciicircum{}c\\textasciigrave{}d\\textbar{}e\\textless{}f\\textgreater{}",
        ),
        ('"x" isn\'t', "''x'' isn't"),
        ("one\ntwo\r\nthree\u00a0four", "one two three four"),
        ("1 ± 2 Δ", "1 $\\pm$ 2 $\\Delta$"),
        ("α β ε φ Ω Α ο ϵ ∆", "$\\alpha$ $\\beta$ $\\varepsilon$ $\\varphi$ $\\Omega$ $\\mathrm{A}$ $\\mathrm{o}$ "
         "$\\epsilon$ $\\Delta$"),
        ("× ≤ ≥ → ∞ µ μ − °", "$\\times$ $\\leq$ $\\geq$ $\\rightarrow$ $\\infty$ $\\mu$ $\\mu$ $-$ $^\\circ$"),
        ("m² 10⁻³ x₁ xⁿ", "m$^{2}$ 10$^{-}$$^{3}$ x$_{1}$ x$^{n}$"),
        ("… – — ‘a’ “b” ½ ﬁ ℝ", "\\ldots{} -- --- `a' ``b'' 1/2 fi R"),
        ("é Å ñ ü ç š ő ę", "\\'{e} \\r{A} \\~{n} \\\"{u} \\c{c} \\v{s} \\H{o} \\c{e}"),
        ("í ĵ ị", "\\'{\\i} \\^{\\j} \\d{i}"),
        ("e\u0301 x\u0304 α\u0304 ά", "\\'{e} \\={x} $\\bar{\\alpha}$ $\\acute{\\alpha}$"),
        ("ł ø ß æ ı þ", "\\l{} \\o{} \\ss{} \\ae{} \\i{} th"),
        ("--x---y ''z'' ,, !` –-", "-{}-x-{}-{}-y '{}'z'{}' ,{}, !\\textasciigrave{} --{}-"),
        ("中 🙂 \x00\u200b", "[U+4E2D] [U+1F642] "),
    ],
)  # fmt: skip
def test_text_is_printed_as_it_is(text, escaped):
    assert escape(text) == escaped


def test_whatever_the_letter_only_ascii_is_written():
    letters = "".join(chr(code) for code in range(32, 0x3100) if unicodedata.category(chr(code)) != "Cs")
    written = escape(letters)
    assert written.isascii()
    assert written.count("$") - written.count("\\$") == 2 * len(
        [part for part in written.replace("\\$", "").split("$")[1::2] if part]
    )


def test_letters_that_have_no_command_are_named():
    assert lacking("α中é中🙂[U+4E2D]") == ["中", "🙂"]


def test_long_words_of_a_note_may_go_on_in_the_next_line():
    protocol = "fashion-c-live|c=gaussian_noise+fog|s=1+3+5|original"
    written = escape_lines(f"robustness: {protocol} at 95 %")
    assert written.count("\\allowbreak{}") >= 2
    assert written.replace("\\allowbreak{}", "") == f"{escape(f'robustness: {protocol} at 95')}~\\%"
    assert max(map(len, escape_lines("x" * 100).split("\\allowbreak{}"))) <= 16
