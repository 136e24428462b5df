import pytest
import timm
import torch

from lsbench.core.errors import ConfigError
from lsbench.models import create_model
from lsbench.models.downstream.extractor import create_extractor, hand_over

from .conftest import NANO

#: One model of each way in which timm makes feature extractors: module by module, of the whole, by a class.
KINDS = {
    "convnext_atto": "FeatureListNet",
    "lsnet_nano": "FeatureGetterNet",
    "mobilenetv2_050": "EfficientNetFeatures",
}


@pytest.mark.parametrize("name", KINDS)
def test_a_classifiers_weights_become_the_extractors(name, tmp_path):
    torch.manual_seed(0)
    options = NANO if name == "lsnet_nano" else {"img_size": 64}
    classifier = create_model(name, num_classes=7, **options).eval()
    for module in classifier.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean)
    path = tmp_path / "classifier.pth"
    torch.save({"model": classifier.state_dict()}, path)
    extractor = create_extractor(name, checkpoint=str(path), **options).eval()
    assert KINDS[name] in {
        type(extractor).__name__,
        *(type(module).__name__ for module in extractor.modules()),
    }
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        maps = classifier.forward_intermediates(images, intermediates_only=True)
        torch.testing.assert_close(extractor(images)[-1], maps[-1])


def test_another_models_weights_are_told(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(create_model("resnet18", num_classes=2, img_size=64).state_dict(), path)
    with pytest.raises(ConfigError, match="does not fit model 'convnext_atto'"):
        create_extractor("convnext_atto", checkpoint=str(path), img_size=64)


def test_an_extractor_is_filled_wholly_or_not_at_all():
    extractor = timm.create_model("resnet18", features_only=True)
    with pytest.raises(ValueError, match=r"\d+ of its 120 weights missing"):
        hand_over(timm.create_model("resnet10t"), extractor)
