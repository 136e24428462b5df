import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates, zoom
from skimage import data
from skimage.filters import gaussian

from lsbench.corruptions import ORIGINALS
from lsbench.corruptions.digital import CORRUPTIONS as DIGITAL
from lsbench.corruptions.frost_textures import read_texture
from lsbench.corruptions.original import CORRUPTIONS, _magick_blur
from lsbench.corruptions.weather import CORRUPTIONS as WEATHER
from lsbench.corruptions.weather import FROST, SNOW, SPATTER

#: What ImageMagick 6.9.11 (Q16) made of bytes that RandomState(0) draws, for radius, deviation and angle.
MAGICK = {
    (3, 2.0, -31.5): (
        "ba3c99ac4894a84a718651a75e6c8c6f75b13f78bd4752a75851a589468a6f6367ac79b0946491926a966f93d33568a1696d787a39ab"
        "786c7abcb79dc98ca493977d588bad6a6c7a6c8d9c742ca39120b58eb0727dcb8b5d796d584c946a778a5d7793674aa46f5b9255588b"
        "5dba787544949a3a936ea094538678746f6f3d80754ca756588737a36c7aa76484729f6d78879c6c896832877568a8506c8b358c6d1f"
        "98906b96708bba8aad45985c2f828a3b715d4b7f375a533a647f4a"
    ),
    (10, 4.0, -100.25): (
        "ac2f75b639bac05579cb3b8878399286556f808eb83487c64057ab91346c9548a1c36e9bd2467c9438978665827b85a94795ac544aae"
        "89315d976790bd89bec163569340a17c5e80788dac4393a55643b2723e49838384a479cab05f4c9840ab6f5f6e8780a249a79445599c"
        "6f614f8f7c889167aea18c6a835ea97450528a7db34ba6935772686c7645885773926589ad92a189808d52645782709b49be98557653"
        "74904d8f4868a188978d97867670974254626a6e704599935a8458"
    ),
    (20, 15.0, 44.0): (
        "309477489d7c4a987f53977d41ac7e32a1713aa76d3e91794090793d9f73309e7b38a47438a17f4e987541af7f319d6d409a6c439274"
        "4190793393742d9d802ca17430a07741a17c37ad722da56a32a36d38846c3e837e339d741f9c782aa07527a68037af7b38a96c34a96b"
        "3e87723281693c8c7f30a0761ba87624aa791fb08230ad7731a8724087763a8376279263278b7f259a731da4701da87a1fb68024b17c"
        "438a7a3c857a2c946b1f8e741f93761f9e6f1da4741eaf7d20b680"
    ),
}
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina", "immunohistochemistry")


@pytest.fixture
def image():
    return np.ascontiguousarray(data.astronaut()[100:160, 180:251])


@pytest.mark.parametrize("settings", MAGICK)
def test_a_blur_has_the_bytes_of_imagemagick(settings):
    noise = np.random.RandomState(0).randint(0, 256, (7, 9, 3)).astype(np.uint8)
    expected = np.frombuffer(bytes.fromhex(MAGICK[settings]), np.uint8).reshape(noise.shape)
    assert np.array_equal(_magick_blur(noise, *settings), expected)


def test_motion_blur_draws_its_angle_alone(image):
    rng, other = np.random.RandomState(0), np.random.RandomState(0)
    blurred = CORRUPTIONS["motion_blur"](image, 4, rng)
    assert np.array_equal(blurred, _magick_blur(image, 15, 12, other.uniform(-45, 45)))
    assert rng.random_sample() == other.random_sample()


def elastic_by_whole_arrays(image, displacement, sigma, reach, rng):
    height, width = image.shape[:2]
    levels = image.astype(np.float32) / 255
    row, column = height // 2, width // 2
    arm = min(height, width) // 3
    corners = np.float32([[row + arm, column + arm], [row + arm, column - arm], [row - arm, column - arm]])
    moved = corners + rng.uniform(-reach, reach, (3, 2)).astype(np.float32)
    affine = cv2.getAffineTransform(corners, moved)
    levels = cv2.warpAffine(levels, affine, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    right, down = (
        gaussian_filter(rng.uniform(-1, 1, (height, width)), sigma, mode="reflect", truncate=3) * displacement
        for _ in range(2)
    )
    y, x, channel = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    places = y + down.astype(np.float32)[..., None], x + right.astype(np.float32)[..., None], channel
    return np.uint8(np.clip(map_coordinates(levels, places, order=1, mode="reflect"), 0, 1) * 255)


@pytest.mark.parametrize(
    ("severity", "shares"),
    [
        (1, (2, 0.7, 0.1)),
        (2, (2, 0.08, 0.2)),
        (3, (0.05, 0.01, 0.02)),
        (4, (0.07, 0.01, 0.02)),
        (5, (0.12, 0.01, 0.02)),
    ],
)
def test_elastic_transform_maps_affinely_and_displaces_by_its_own_widths(severity, shares):
    image = np.asarray(Image.fromarray(data.coffee()).resize((224, 224)))
    rng, other = np.random.RandomState(severity), np.random.RandomState(severity)
    expected = elastic_by_whole_arrays(image, *(share * 244 for share in shares), other)
    assert np.array_equal(CORRUPTIONS["elastic_transform"](image, severity, rng), expected)
    assert rng.random_sample() == other.random_sample()


def test_elastic_transform_scales_with_the_shorter_side(image):
    size = 244.0 * 60 / 224
    expected = elastic_by_whole_arrays(image, 0.05 * size, 0.01 * size, 0.02 * size, np.random.RandomState(0))
    assert np.array_equal(CORRUPTIONS["elastic_transform"](image, 3, np.random.RandomState(0)), expected)


def test_elastic_transform_is_as_strong_as_the_published_one():
    photos = [Image.fromarray(getattr(data, name)()).convert("RGB") for name in PHOTOS]
    clean = [np.asarray(photo.resize((224, 224), Image.Resampling.BILINEAR)) for photo in photos]

    def strength(kind, severity):
        changes = [kind(x, severity, np.random.RandomState(i)) - x.astype(float) for i, x in enumerate(clean)]
        return np.mean([np.sqrt((change**2).mean()) for change in changes])

    measured = [strength(CORRUPTIONS["elastic_transform"], severity) for severity in (1, 2, 3, 4, 5)]
    assert measured == pytest.approx([40.6, 49.1, 23.4, 24.0, 25.9], rel=0.06)
    assert strength(DIGITAL["elastic_transform"], 1) < measured[0] / 2


@pytest.mark.parametrize("severity", [1, 5])
def test_frost_lies_on_the_image_at_its_own_size(image, severity):
    rng, other = np.random.RandomState(severity), np.random.RandomState(severity)
    texture = read_texture(other.randint(5))
    top, left = (other.randint(0, texture.shape[axis] - image.shape[axis]) for axis in (0, 1))
    of_image, of_frost = FROST[severity - 1]
    part = texture[top : top + image.shape[0], left : left + image.shape[1]]
    expected = np.uint8(np.clip(of_image * image + of_frost * part, 0, 255))
    assert np.array_equal(CORRUPTIONS["frost"](image, severity, rng), expected)
    assert rng.random_sample() == other.random_sample()


def test_frost_is_enlarged_where_an_image_would_not_fit():
    image = np.resize(data.chelsea(), (700, 50, 3))
    assert CORRUPTIONS["frost"](image, 1, np.random.RandomState(0)).shape == image.shape


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_snow_is_cut_from_the_middle_and_blurred_in_bytes(severity):
    image = np.ascontiguousarray(data.astronaut()[100:164, 180:244])
    mean, deviation, factor, threshold, radius, sigma, kept = SNOW[severity - 1]
    rng, other = np.random.RandomState(severity), np.random.RandomState(severity)
    side = int(np.ceil(64 / factor))
    top = (64 - side) // 2
    noise = other.normal(mean, deviation, (64, 64))[top : top + side, top : top + side]
    flakes = zoom(noise, factor, order=1)
    flakes[flakes < threshold] = 0
    first = (flakes.shape[0] - 64) // 2
    flakes = np.uint8(np.clip(flakes[first : first + 64, first : first + 64], 0, 1) * 255)
    layer = _magick_blur(flakes[..., None], radius, sigma, other.uniform(-135, -45)) / 255.0
    levels = image.astype(np.float32) / 255
    white = cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)[..., None] * 1.5 + 0.5
    levels = kept * levels + (1 - kept) * np.maximum(levels, white)
    expected = np.uint8(np.clip(levels + layer + np.rot90(layer, k=2), 0, 1) * 255)
    assert np.array_equal(CORRUPTIONS["snow"](image, severity, rng), expected)
    assert rng.random_sample() == other.random_sample()


@pytest.mark.parametrize("severity", [4, 5])
@pytest.mark.parametrize(("name", "size"), [("astronaut", 224), ("hubble_deep_field", 224), ("chelsea", 197)])
def test_the_mud_of_spatter_is_added_in_single_precision(name, size, severity):
    image = np.ascontiguousarray(getattr(data, name)()[100 : 100 + size, 50 : 50 + size + 3])
    mean, deviation, sigma, threshold, width = SPATTER[severity - 1]
    rng, other = np.random.RandomState(severity), np.random.RandomState(severity)
    liquid = gaussian(other.normal(mean, deviation, image.shape[:2]), sigma=sigma)
    covered = gaussian((liquid > threshold).astype(np.float32), sigma=width)[..., None]
    covered[covered < 0.8] = 0
    mud = np.float32([63 / 255, 42 / 255, 20 / 255])
    total = image.astype(np.float32) / 255 * (1 - covered) + mud * covered
    assert total.dtype == np.float32
    expected = np.uint8(np.clip(total, 0, 1) * 255)
    assert np.array_equal(CORRUPTIONS["spatter"](image, severity, rng), expected)
    assert rng.random_sample() == other.random_sample()
    off = WEATHER["spatter"](image, severity, np.random.RandomState(severity)).astype(int) - expected
    assert np.count_nonzero(off) <= 40
    assert abs(off).max() == 1


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_the_water_of_spatter_is_the_packages(image, severity):
    kinds = CORRUPTIONS["spatter"], WEATHER["spatter"]
    assert np.array_equal(*(kind(image, severity, np.random.RandomState(7)) for kind in kinds))


def test_the_family_uses_every_kind_of_this_file():
    assert set(ORIGINALS) == set(CORRUPTIONS)
