from lsbench.suite.matrix import expand_variants


def test_every_combination_in_the_order_written():
    entry = {"matrix": {"mixer": ["a", "b"], "mixer_args.kernel_large": [5, 7]}, "label": "L"}
    found = expand_variants([{"name": "plain"}, entry])
    assert [v["name"] for v in found] == ["plain", "a-5", "a-7", "b-5", "b-7"]
    assert found[2] == {
        "name": "a-7",
        "label": "L",
        "mixer": "a",
        "mixer_args": {"kernel_large": 7},
    }


def test_excluded_combinations_are_left_out():
    matrix = {"mixer": ["a", "b"], "dataset.img_size": [32, 64]}
    rules = [{"mixer": "a", "dataset.img_size": 32}, {"mixer": "b"}]
    found = expand_variants([{"matrix": matrix, "exclude": rules}])
    assert [v["name"] for v in found] == ["a-64"]


def test_a_template_names_the_combinations():
    found = expand_variants([{"name": "{mixer}_k{k}", "matrix": {"mixer": ["a"], "mixer_args.k": [1, 2]}}])
    assert [v["name"] for v in found] == ["a_k1", "a_k2"]


def test_a_template_with_an_unknown_word_is_left_for_the_schema_to_refuse():
    found = expand_variants([{"name": "{nothing}", "matrix": {"mixer": ["a"]}}])
    assert found[0]["name"] == "{nothing}"


def test_a_mapping_as_value_is_called_by_its_name():
    found = expand_variants([{"matrix": {"dataset": [{"name": "fashion"}, "imagenet"]}}])
    assert [v["name"] for v in found] == ["fashion", "imagenet"]


def test_dotted_axes_lie_over_what_is_there_and_leave_the_entry_alone():
    entry = {"mixer_args": {"a": 1, "b": 2}, "matrix": {"mixer_args.b": [3, 4]}}
    found = expand_variants([entry])
    assert [v["mixer_args"]["b"] for v in found] == [3, 4]
    assert entry["mixer_args"] == {"a": 1, "b": 2}


def test_malformed_entries_pass_through():
    entries = [3, None, {"matrix": 3}, {"matrix": {"a": 3}}]
    assert list(expand_variants(entries)) == entries
