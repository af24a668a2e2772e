import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from qc import CNNRegression, QCResUNet, SlicewiseDice
from qc.estimators.frame_estimator import Judged
from qc.estimators.network.estimator import NetworkEstimator
from qc.estimators.qcresunet.network import Outputs
from qc.explain import explain, grad_cam
from semiqc.schemes import AORTA, SHORT_AXIS
from semiqc.study import Prediction


class ChannelMeans(nn.Module):
    """Output ``k`` is the mean of channel ``k``, times a sign."""

    def __init__(self, sign=1.0):
        super().__init__()
        self.features = nn.Identity()
        self.sign = nn.Parameter(torch.tensor(sign))

    def forward(self, given):
        return self.sign * self.features(given * self.sign.detach().abs()).flatten(2).mean(dim=2)


class SliceBySlice(ChannelMeans):
    """The same, of slices taken one by one, with features that are half as fine."""

    def __init__(self):
        super().__init__()
        self.features = nn.AvgPool2d(2)

    def forward(self, given):
        found = self.features(given.transpose(1, 2).flatten(0, 1) * self.sign)
        return found.flatten(2).mean(dim=2).mean(dim=0, keepdim=True)


class PaddedAtTheEnds(ChannelMeans):
    """The same, with features of more rows and columns than the input."""

    def __init__(self):
        super().__init__()
        self.features = nn.ZeroPad2d((0, 3, 0, 2))


def given_of(*shape):
    torch.manual_seed(0)
    return torch.rand(1, 3, *shape)


@pytest.mark.parametrize("shape", [(6, 5), (4, 6, 5)])
@pytest.mark.parametrize("output", [0, 2])
def test_the_mean_of_a_channel_is_explained_by_the_channel(shape, output):
    given = given_of(*shape)

    heat = grad_cam(ChannelMeans(), given, output, "features")

    channel = given[0, output].numpy()
    np.testing.assert_allclose(heat, channel / channel.max(), atol=1e-6)


def test_what_speaks_against_a_value_is_not_shown():
    heat = grad_cam(ChannelMeans(-1.0), given_of(4, 4), 0, "features")

    np.testing.assert_array_equal(heat, np.zeros((4, 4)))


def test_features_of_single_slices_are_put_together():
    given = torch.zeros(1, 3, 4, 6, 8)
    given[0, 1, 2, :2] = 1

    heat = grad_cam(SliceBySlice(), given, 1, "features")

    assert heat.shape == (4, 6, 8)
    assert heat[2, 0, 0] == 1
    assert not heat[[0, 1, 3]].any()
    assert not heat[2, 4:].any()


def test_features_of_what_was_padded_are_cut_off():
    given = given_of(6, 5)

    heat = grad_cam(PaddedAtTheEnds(), given, 1, "features")

    channel = given[0, 1].numpy()
    np.testing.assert_allclose(heat, channel / channel.max(), atol=1e-6)


def test_the_network_is_left_as_it_was():
    network = ChannelMeans().train()

    with torch.no_grad():
        grad_cam(network, given_of(4, 4), 0, "features")

    assert network.training
    assert network.sign.grad is None
    assert not network.features._forward_hooks


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="ChannelMeans has no layer 'layer4'"):
        grad_cam(ChannelMeans(), given_of(4, 4), 0, "layer4")


class Unexplained(NetworkEstimator):
    """Judges by the mean of the input's channels; its networks need no training."""

    def __init__(self, scheme, *, size=(2, 6, 8)):
        self.scheme = scheme
        self.size = size
        self.modalities = 1

    def _network(self):
        return ChannelMeans()

    def _losses(self, output, batch):
        raise NotImplementedError

    def _read(self, outputs, frames, boxes):
        return [Judged(np.ones(3)) for _ in frames]


class Explained(Unexplained):
    explained_layer = "features"


def prediction():
    labels = np.zeros((2, 2, 20, 24), np.int8)
    labels[1, :, 10:14, 9:15] = 3
    image = np.random.default_rng(0).uniform(0.5, 1, (1, *labels.shape)).astype(np.float32)
    return Prediction("a", image, labels, (8.0, 1.5, 1.5))


def fitted(kind, members=1):
    estimator = kind(SHORT_AXIS)
    estimator.networks_ = [ChannelMeans() for _ in range(members)]
    return estimator


@pytest.mark.parametrize("members", [1, 3])
def test_a_structure_is_explained_where_it_lies_in_the_frame(members):
    # LV is the first structure, and the image the first channel of the input.
    heat = explain(fitted(Explained, members), prediction(), 1, SHORT_AXIS.structure("LV"))

    image = prediction().image[0, 1]
    # The box of 6 rows and 8 columns around rows 10 to 13 and columns 9 to 14.
    seen = image[:, 9:15, 8:16]
    np.testing.assert_allclose(heat[:, 9:15, 8:16], seen / seen.max(), atol=1e-6)
    assert np.count_nonzero(heat) == seen.size


def test_each_structure_has_an_explanation_of_its_own():
    # The second channel is the mask of the background, the third of the RV, which is nowhere.
    estimator = fitted(Explained)

    myocardium = explain(estimator, prediction(), 1, SHORT_AXIS.structure("MYO"))
    ventricle = explain(estimator, prediction(), 1, SHORT_AXIS.structure("RV"))

    np.testing.assert_array_equal(
        myocardium[:, 9:15, 8:16], prediction().labels[1, :, 9:15, 8:16] == 0
    )
    assert not ventricle.any()


def test_an_estimator_without_a_layer_is_named():
    with pytest.raises(ValueError, match="Unexplained names no layer that explains it"):
        explain(fitted(Unexplained), prediction(), 1, SHORT_AXIS.structure("LV"))


def test_an_estimator_that_learned_nothing_explains_nothing():
    with pytest.raises(NotFittedError):
        explain(Explained(SHORT_AXIS), prediction(), 1, SHORT_AXIS.structure("LV"))


def test_a_structure_of_another_scheme_is_refused():
    with pytest.raises(ValueError, match="short-axis has no structure"):
        explain(fitted(Explained), prediction(), 1, AORTA.structure("aorta"))


def only_lv(layer, row=0, weight=0.01):
    """Let the outputs of a layer but one be constant, and that one rise with all its features."""
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[row] = weight
        layer.bias.zero_()


def network_of(estimator):
    """With random weights, in which features speak of the LV alone."""
    torch.manual_seed(0)
    network = estimator._network().eval()
    if isinstance(estimator, CNNRegression):
        only_lv(network.fc if estimator.backbone.startswith("resnet34") else network.dense)
    elif isinstance(estimator, SlicewiseDice):
        # The first output is of the background.
        only_lv(network.network.head[-1], row=1)
    else:
        if estimator.regression:
            only_lv(network.head)
        if estimator.maps:
            only_lv(network.aggregation.readout, weight=-0.01)
    return network


def explainable(kind, **settings):
    estimator = kind(SHORT_AXIS, size=(3, 16, 48), width=4, **settings)
    estimator.networks_ = [network_of(estimator)]
    return estimator


FORMS = [
    (CNNRegression, {"backbone": "resnet18-2d"}),
    (CNNRegression, {"backbone": "resnet34-3d"}),
    (CNNRegression, {"backbone": "unet-3d"}),
    *(
        (SlicewiseDice, {"backbone": backbone, "dimension": dimension})
        for backbone in ("resnet", "unet")
        for dimension in ("2d", "3d")
    ),
    (QCResUNet, {}),
    (QCResUNet, {"from_maps": False}),
    (QCResUNet, {"maps": False}),
    (QCResUNet, {"regression": False}),
]


def stack(slices=5):
    """A heart whose LV is in the second to fourth slice."""
    labels = np.zeros((1, slices, 30, 60), np.int8)
    labels[:, :, 12:20, 20:30] = 2
    labels[:, 1:4, 14:18, 22:27] = 3
    image = np.random.default_rng(0).uniform(0, 1, (1, *labels.shape)).astype(np.float32)
    return Prediction("a", image, labels, (8.0, 1.5, 1.5))


@pytest.mark.parametrize(("kind", "settings"), FORMS)
def test_every_network_is_explained_by_what_speaks_of_the_structure(kind, settings):
    estimator = explainable(kind, **settings)

    heat = explain(estimator, stack(), 0, SHORT_AXIS.structure("LV"))
    of_myocardium = explain(estimator, stack(), 0, SHORT_AXIS.structure("MYO"))

    assert heat.shape == (5, 30, 60)
    assert heat.min() == 0
    assert heat.max() == pytest.approx(1)
    assert not of_myocardium.any()
    outside = np.ones((30, 60), bool)
    # The box of 16 rows and 48 columns lies around the middle of the wall.
    outside[8:24, 1:49] = False
    assert not heat[:, outside].any()


@pytest.mark.parametrize("backbone", ["resnet", "unet"])
def test_slices_that_are_judged_one_by_one_are_explained_one_by_one(backbone):
    estimator = explainable(SlicewiseDice, backbone=backbone)

    heat = explain(estimator, stack(), 0, SHORT_AXIS.structure("LV"))

    assert heat.any(axis=(1, 2)).tolist() == [False, True, True, True, False]
    assert not np.array_equal(heat[1], heat[2])
    assert not np.array_equal(heat[2], heat[3])


def test_without_regression_the_dice_that_maps_imply_is_explained():
    given = torch.zeros(1, 5, 1, 6, 8)
    given[0, 1 + 3, 0, :4, :3] = 1
    maps = torch.full((1, 3, 1, 6, 8), -99.0)
    maps[0, 0, 0, :2, :3] = 99

    found = QCResUNet(SHORT_AXIS).dice_told(Outputs(None, maps), given)

    # Of the 12 voxels of the LV half are wrong; one voxel is added to both sides.
    assert found[0].tolist() == pytest.approx([(2 * 6 + 1) / (12 + 6 + 1), 1, 1])
