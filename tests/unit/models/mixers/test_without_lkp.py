from lsbench.models.mixers.ls_conv import LSConv
from lsbench.models.mixers.without_lkp import WithoutLKP


def test_only_the_large_convolution_and_its_norm_are_gone():
    gone = set(LSConv(16).state_dict()) - set(WithoutLKP(16).state_dict())
    assert {key.rsplit(".", 2)[0] for key in gone} == {"lkp.cv2"}
    assert set(WithoutLKP(16).state_dict()) < set(LSConv(16).state_dict())
