"""Section `gate` of a suite: the metrics compared with a baseline, and what counts as worse."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError

from lsbench.core.quantity import declarations, is_declared, quantity
from lsbench.core.registry import suggest
from lsbench.core.spec import StrictModel
from lsbench.suite.problems import Problems

Direction = Literal["higher", "lower"]


class GateEntry(StrictModel):
    """One rule of the gate as written in a suite file."""

    metric: str = Field(min_length=1, description="name of the metric to compare")
    direction: Direction | None = Field(
        default=None, description="the better direction; default: the metric's own"
    )
    min_effect: float | None = Field(
        default=None,
        ge=0,
        description="smallest loss that matters: for a fraction the difference (0.005 is half a point), for "
        "a ratio of timings the relative difference (0.03 is 3 % slower); counts are compared exactly",
    )
    alpha: float = Field(
        default=0.01, gt=0, lt=0.5, description="chance of a false alarm over all rows of the metric"
    )


class GateRule(StrictModel):
    """One rule, resolved."""

    metric: str
    direction: Direction
    min_effect: float
    alpha: float

    @property
    def is_timing(self) -> bool:
        """True if samples of a candidate and a control are compared."""
        return quantity(self.metric).is_relative_timing

    @property
    def is_exact(self) -> bool:
        """True if any difference counts."""
        return quantity(self.metric).is_counted

    def worsening(self, before: float, after: float) -> float:
        """Return how much worse `after` is: relative for timings, else the difference.

        >>> rule = GateRule(metric="top1", direction="higher", min_effect=0, alpha=0.01)
        >>> round(rule.worsening(0.7, 0.6), 3)
        0.1
        """
        change = after / before - 1 if self.is_timing else after - before
        return change if self.direction == "lower" else -change


def resolve_gate(data: dict[str, Any], problems: Problems) -> tuple[GateRule, ...]:
    """Return the rules of a suite, and note everything wrong with them in `problems`.

    Args:
        data: The file's content, presets and overrides applied; it may be malformed.
        problems: Where problems are noted.
    """
    entries = data.get("gate")
    rules: dict[str, GateRule] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        try:
            asked = GateEntry.model_validate(entry)
        except ValidationError:
            continue  # the schema check has noted the reason
        where = ("gate", index)
        if asked.metric in rules:
            problems.add((*where, "metric"), f"a second rule for '{asked.metric}': give one rule per metric")
            continue
        rule = _rule(asked, where, problems)
        if rule is None:
            continue
        rules[rule.metric] = rule
        if rule.is_timing and not _has_control(data):
            reason = f"'{rule.metric}' is relative to a control model: give a profile job a `control`"
            problems.add((*where, "metric"), reason)
    return tuple(rules.values())


def _rule(asked: GateEntry, where: tuple[str | int, ...], problems: Problems) -> GateRule | None:
    metric = quantity(asked.metric)
    if metric.depends_on_machine:
        problems.add(
            (*where, "metric"),
            f"'{asked.metric}' differs between machines and nights; "
            f"compare a timing relative to a control: {' or '.join(_relative_timings())}",
        )
        return None
    own = _own_direction(metric.higher_is_better)
    direction = own or asked.direction
    if own is not None and asked.direction not in (None, own):
        problems.add((*where, "direction"), f"'{asked.metric}' is better when {own}: leave direction out")
    if direction is None:
        hint = "" if is_declared(asked.metric) else suggest(asked.metric, declarations())
        problems.add(
            (*where, "metric"),
            f"'{asked.metric}' has no better direction{hint}: give direction, higher or lower",
        )
        return None
    is_exact = metric.is_counted
    if is_exact and asked.min_effect:
        problems.add(
            (*where, "min_effect"), f"'{asked.metric}' is counted and compared exactly: leave min_effect out"
        )
    if not is_exact and asked.min_effect is None:
        problems.add(where, f"'{asked.metric}' is measured: give min_effect, the smallest loss that matters")
    return GateRule(
        metric=asked.metric, direction=direction, min_effect=asked.min_effect or 0.0, alpha=asked.alpha
    )


def _relative_timings() -> list[str]:
    return [name for name, one in declarations().items() if one.quantity.is_relative_timing]


def _own_direction(higher_is_better: bool | None) -> Direction | None:
    return None if higher_is_better is None else "higher" if higher_is_better else "lower"


def _has_control(data: dict[str, Any]) -> bool:
    rows = [row.get("jobs") for row in data.get("variants") or [] if isinstance(row, dict)]
    jobs = [entry for entry in [*(data.get("jobs") or []), *rows] if isinstance(entry, dict)]
    settings = [value for entry in jobs for value in entry.values() if isinstance(value, dict)]
    return any(value.get("control") is not None for value in settings)
