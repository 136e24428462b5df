import pytest
import timm
import torch

from lsbench.models.checkpoints import load_checkpoint
from lsbench.models.earlier_weights import conditions, upgraded
from lsbench.models.factory import create_model


def create(mixer):
    torch.manual_seed(0)
    return create_model("lsnet_nano", mixer=mixer, num_classes=4, img_size=32).eval()


def earlier_form(state):
    """Return weights under the names that they had before the temperature fell."""
    found = {name.replace(".shares.1.score.", ".shares.1.fc."): value for name, value in state.items()}
    assert found.keys() != state.keys()
    return found


def test_weights_are_told_apart_by_their_names_through_every_door(tmp_path):
    model, file = create("dy_conv"), tmp_path / "weights.pt"
    assert conditions(model) == {}
    torch.save(earlier_form(model.state_dict()), file)
    load_checkpoint(model, file)
    through_timm = timm.create_model(
        "lsnet_nano", mixer="dy_conv", num_classes=4, img_size=32, checkpoint_path=str(file)
    )
    for found in (model, through_timm):
        assert conditions(found) == {"temperature": 30}
    torch.save(model.state_dict(), file)
    load_checkpoint(model, file)
    assert conditions(model) == {}


def test_a_feature_extractor_keeps_the_earlier_temperature(tmp_path):
    model, file = create("dy_conv"), tmp_path / "weights.pt"
    torch.save(earlier_form(model.state_dict()), file)
    features = timm.create_model("lsnet_nano", mixer="dy_conv", img_size=32, features_only=True)
    load_checkpoint(features, file)
    assert conditions(features) == {"temperature": 30}


@pytest.mark.parametrize("mixer", ["cot", "ls_conv"])
def test_present_weights_are_not_changed(mixer):
    model = create(mixer)
    state = model.state_dict()
    assert upgraded(model, state).keys() == state.keys()
