from lsbench.core.waits import announce, told_to


def test_a_wait_is_told_once_to_the_innermost_listener_and_to_nobody_without_one():
    heard, inner = [], []
    announce("before")
    with told_to(heard.append):
        announce("first")
        announce("first")
        with told_to(inner.append):
            announce("second")
        announce("third")
    announce("after")
    assert (heard, inner) == (["first", "third"], ["second"])


def test_a_listener_can_hear_a_wait_each_time():
    heard = []
    with told_to(heard.append, each_time=True):
        announce("compiling loops")
        announce("compiling loops")
    assert heard == ["compiling loops", "compiling loops"]
