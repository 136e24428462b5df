import base64
import gzip
import hashlib

import pytest
from jinja2 import UndefinedError

from lsbench.core.registry import PACKAGE_ROOT
from lsbench.web.assets import content_policy, environment, packed, script_hash, static


def test_packed_text_is_gzip_in_base64_and_always_the_same():
    text = "ü" * 1000
    assert gzip.decompress(base64.b64decode(packed(text))).decode() == text
    assert packed(text) == packed(text)


def test_templates_escape_values_and_miss_none():
    template = environment().from_string('<p title="{{ value }}">{{ value }}</p>')
    assert (
        template.render(value='"><script>')
        == '<p title="&#34;&gt;&lt;script&gt;">&#34;&gt;&lt;script&gt;</p>'
    )
    with pytest.raises(UndefinedError):
        template.render()


def test_a_policy_names_each_script_by_its_hash_and_allows_nothing_else():
    digest = base64.b64encode(hashlib.sha256(b"let x = 1").digest()).decode()
    assert script_hash("let x = 1") == f"'sha256-{digest}'"
    policy = content_policy(["let x = 1"])
    assert f"script-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "script-src 'none'" in content_policy([])


def test_scripts_of_the_package_can_stand_in_a_page():
    for names in (("base.js", "live.js"), ("base.js", "table.js", "details.js", "plots.js", "charts.js")):
        text = str(static(*names)).lower()
        assert "</script" not in text
        assert "<!--" not in text
        assert "innerhtml" not in text, "text enters the page as text alone"


def test_durations_are_formatted_in_one_place_of_the_pages():
    scripts = {path.name: path.read_text() for path in (PACKAGE_ROOT / "web" / "static").glob("*.js")}
    assert [name for name, text in scripts.items() if "} min" in text or "} h" in text] == ["base.js"]
    assert "duration(" in scripts["live.js"]
    assert "duration(job[JOB.wall])" in scripts["details.js"]
