import pytest
import torch

from lsbench.core.errors import ConfigError
from lsbench.export.subject import subject_of_model


def of_model(name="resnet18", source=(), **more):
    options = {"mixer": None, "num_classes": 4, "img_size": 32, **more}
    return subject_of_model(name, source=dict(source), **options)


def test_random_weights_are_those_of_seed_0_and_say_so():
    torch.manual_seed(5)
    first, second = of_model("lsnet_nano", mixer="cga"), of_model("lsnet_nano", mixer="cga")
    assert first.weights == "random, from seed 0: it is not trained"
    assert (first.title, first.arguments) == ("lsnet_nano, cga", {"mixer": "cga"})
    assert not first.model.training
    for one, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_weights_of_a_file_are_loaded_and_named(tmp_path):
    model = of_model().model
    with torch.no_grad():
        model.fc.bias.fill_(3)
    torch.save(model.state_dict(), tmp_path / "mine.pth")
    found = of_model(source={"checkpoint": str(tmp_path / "mine.pth")})
    assert found.weights == "those of the file `mine.pth`"
    assert found.model.fc.bias.tolist() == [3] * 4
    assert found.normalisation == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with pytest.raises(ConfigError, match="its 'fc' has 4 classes instead of 7"):
        of_model(num_classes=7, source={"checkpoint": str(tmp_path / "mine.pth")})
