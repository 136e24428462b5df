"""The promises of each kind of plug-in, as tests that the authors of other packages run on theirs.

    pytest --pyargs lsbench.testing --mixer acme_mixer --metric brier

or, where pytest knows nothing of lsbench, ``python -m lsbench.testing --mixer acme_mixer``. Every kind has an
option; given several times, several plug-ins are tested. pytest is needed for this alone.
"""
