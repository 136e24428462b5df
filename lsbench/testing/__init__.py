"""Contract tests for each kind of plug-in, which authors of other packages run on their own plug-ins.

    pytest --pyargs lsbench.testing --mixer acme_mixer --metric brier

or, if pytest has not loaded lsbench's options, ``python -m lsbench.testing --mixer acme_mixer``. Every kind
has an option, which may be repeated to test several plug-ins. Only these tests need pytest.
"""
