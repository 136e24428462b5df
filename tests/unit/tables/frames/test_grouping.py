import pandas as pd

from lsbench.tables.frames.grouping import group_numbers


def test_groups_are_counted_as_they_come_and_null_is_a_value():
    frame = pd.DataFrame({"a": pd.Categorical(["y", "x", "y", None, "y", None]), "b": [1, 1, None, 2, 1, 2]})
    frame["b"] = frame.b.astype("Int64")
    assert group_numbers(frame, ["a", "b"]).tolist() == [0, 1, 2, 3, 0, 3]
    assert group_numbers(frame, ["b"]).tolist() == [0, 0, 1, 2, 0, 2]
    assert group_numbers(frame.head(0), ["a", "b"]).tolist() == []
    assert group_numbers(frame, []).tolist() == [0] * 6
