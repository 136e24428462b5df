from collections import Counter

import pytest

from lsbench.core.quantity import declarations, from_duration, is_declared, quantity

ALL = [one.quantity for one in declarations().values()]


def test_an_unknown_quantity_has_neither_unit_nor_direction():
    found = quantity("strangeness")
    assert (found.name, found.unit, found.higher_is_better, found.scale) == ("strangeness", "", None, 1.0)
    assert not is_declared("strangeness")


@pytest.mark.parametrize("found", ALL, ids=lambda one: one.name)
def test_scale_and_title_agree(found):
    if "(%)" in found.title:
        assert (found.unit, found.scale) == ("fraction", 100.0)
    if found.name.endswith("_ms"):
        assert found.unit == "ms"
    assert found.title.strip()
    assert len(found.short_title or found.title) <= 22, "a narrow table has no room for it"


def test_no_two_short_titles_are_the_same():
    shown = [found.short_title or found.title for found in ALL]
    assert [title for title, count in Counter(shown).items() if count > 1] == []


@pytest.mark.parametrize("found", ALL, ids=lambda one: one.name)
def test_what_is_compared_or_a_headline_has_a_direction(found):
    if found.is_compared or found.is_headline or found.is_per_image:
        assert found.higher_is_better is not None


def test_each_is_declared_in_the_file_that_measures_it():
    assert declarations()["top5"].module == "lsbench.metrics.top5"
    assert declarations()["macs_paper"].module == "lsbench.probes.macs"
    assert declarations()["mce"].module == "lsbench.jobs.robustness"
    assert declarations()["cka_mean"].module == "lsbench.analyses.cka"


def test_flops_say_how_they_are_counted():
    assert "1 MAC = 1 FLOP" in quantity("macs").title
    assert quantity("macs").scale == 1e-9


def test_another_package_declares_quantities_too(install):
    text = (
        "from lsbench.core.quantity import Quantity\n"
        "QUANTITIES = (Quantity('brier', 'ratio', False, 'Brier score', digits=3),\n"
        "              Quantity('top1', 'apples', None, 'stolen'))\nMETRIC = None\n"
    )
    install({"acme.brier": text}, {"lsbench.metrics": {"brier": "acme.brier"}})
    assert quantity("brier").title == "Brier score"
    assert quantity("top1").unit == "fraction", "lsbench's own stand first"


def test_a_package_that_cannot_be_imported_is_passed_over_with_a_warning(install):
    text = "raise OSError('no such library\\nat all')"
    install({"acme.broken": text}, {"lsbench.metrics": {"broken": "acme.broken"}})
    expected = r"^metric 'broken' \(entry point .* cannot be imported: OSError: no such library at all; its"
    with pytest.warns(UserWarning, match=expected):
        assert quantity("top1").unit == "fraction"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (60, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (3600, "1 h 00 min"),
        (86400, "24 h 00 min"),
    ],
)
def test_durations_never_show_sixty_of_anything(seconds, text):
    assert from_duration(seconds) == text
