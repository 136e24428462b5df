from lsbench.search.study import Study


def test_a_study_is_of_its_templates_variant(tiny, make_graph):
    [job, *_] = make_graph(tiny).jobs
    study = Study(template=job, search=None, book=None, num_cpus=1, num_gpus=0, token="t")
    assert study.variant == job.variant.name == "ls"
