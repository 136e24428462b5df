# ruff: noqa: RUF001
"""The commands of LaTeX for letters and signs, all of its own fonts: no package, and no other encoding."""

from __future__ import annotations

#: What a sign is in the text.
SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "^": "\\textasciicircum{}",
    "~": "\\textasciitilde{}",
    "`": "\\textasciigrave{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    "¦": "\\textbar{}",
    '"': "''",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "‚": ",",
    "„": ",,",
    "‐": "-",
    "‒": "--",
    "–": "--",
    "—": "---",
    "―": "---",
    "⁄": "/",
    "¡": "!`",
    "¿": "?`",
    "…": "\\ldots{}",
    "§": "\\S{}",
    "¶": "\\P{}",
    "©": "\\copyright{}",
    "®": "\\textregistered{}",
    "£": "\\pounds{}",
    "€": "EUR",
    "ı": "\\i{}",
    "ȷ": "\\j{}",
    "ł": "\\l{}",
    "Ł": "\\L{}",
    "ø": "\\o{}",
    "Ø": "\\O{}",
    "æ": "\\ae{}",
    "Æ": "\\AE{}",
    "œ": "\\oe{}",
    "Œ": "\\OE{}",
    "ß": "\\ss{}",
    "ẞ": "SS",
    # The nearest letters: the usual fonts lack these.
    **dict(zip("đĐħĦŋŊŧŦĸ", ["d", "D", "h", "H", "ng", "Ng", "t", "T", "k"], strict=True)),
    **dict(zip("ðÐþÞ", ["d", "D", "th", "Th"], strict=True)),
}
#: Marks above or below a letter: the command in text, and in mathematics ("" without one).
ACCENTS = {
    "\u0300": ("`", "grave"),
    "\u0301": ("'", "acute"),
    "\u0302": ("^", "hat"),
    "\u0303": ("~", "tilde"),
    "\u0304": ("=", "bar"),
    "\u0306": ("u", "breve"),
    "\u0307": (".", "dot"),
    "\u0308": ('"', "ddot"),
    "\u030a": ("r", "mathring"),
    "\u030b": ("H", ""),
    "\u030c": ("v", "check"),
    "\u0323": ("d", ""),
    "\u0327": ("c", ""),
    "\u0328": ("c", ""),  # an ogonek, which the usual fonts lack
    "\u0331": ("b", ""),
}
_GREEK = """
    α alpha β beta γ gamma δ delta ε varepsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu ν nu ξ xi
    ο mathrm{o} π pi ρ rho ς varsigma σ sigma τ tau υ upsilon φ varphi χ chi ψ psi ω omega
    ϑ vartheta ϕ phi ϖ varpi ϱ varrho ϵ epsilon
    Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega ∆ Delta
    Α mathrm{A} Β mathrm{B} Ε mathrm{E} Ζ mathrm{Z} Η mathrm{H} Ι mathrm{I} Κ mathrm{K} Μ mathrm{M}
    Ν mathrm{N} Ο mathrm{O} Ρ mathrm{P} Τ mathrm{T} Χ mathrm{X}
"""
_SIGNS = """
    † dagger ‡ ddagger ± pm ∓ mp × times ÷ div · cdot ⋅ cdot ∗ ast ∘ circ • bullet ∙ bullet ● bullet ○ circ
    ≤ leq ⩽ leq ≥ geq ⩾ geq ≠ neq ≈ approx ≃ simeq ≅ cong ∼ sim ≡ equiv ∝ propto ≪ ll ≫ gg « ll » gg
    ∞ infty ∂ partial ∇ nabla ∑ sum ∏ prod √ surd ∫ int ∈ in ∉ notin ∋ ni ⊂ subset ⊃ supset ⊆ subseteq
    ⊇ supseteq ∪ cup ∩ cap ∅ emptyset ∀ forall ∃ exists ¬ neg ∧ wedge ∨ vee ⊕ oplus ⊖ ominus ⊗ otimes
    ⊙ odot ⊥ perp ∥ parallel ∣ mid ∠ angle ′ prime ℓ ell ℏ hbar ⋯ cdots ⋮ vdots ⋱ ddots
    → rightarrow ← leftarrow ↔ leftrightarrow ↑ uparrow ↓ downarrow ↕ updownarrow ⇒ Rightarrow
    ⇐ Leftarrow ⇔ Leftrightarrow ⇑ Uparrow ⇓ Downarrow ↦ mapsto ↗ nearrow ↘ searrow ↙ swarrow ↖ nwarrow
    ⟶ longrightarrow ⟵ longleftarrow ⟹ Longrightarrow ⟨ langle ⟩ rangle ‹ langle › rangle
    ⌊ lfloor ⌋ rfloor ⌈ lceil ⌉ rceil ★ star ☆ star ⋆ star ✓ surd ✔ surd ✗ times ✘ times ✕ times
    △ triangle ▲ triangle ▽ bigtriangledown ▼ bigtriangledown ◇ diamond ◆ diamond
    ♠ spadesuit ♣ clubsuit ♥ heartsuit ♦ diamondsuit ♭ flat ♮ natural ♯ sharp
"""
_words = [*_GREEK.split(), *_SIGNS.split()]
#: What a letter or sign is in mathematics.
MATHEMATICS = {
    **{sign: f"\\{name}" for sign, name in zip(_words[::2], _words[1::2], strict=True)},
    "−": "-",
    "°": "^\\circ",
}
