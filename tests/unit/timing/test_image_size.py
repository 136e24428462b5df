from lsbench.core.facets import Facets, render_protocol
from lsbench.timing.image_size import height_and_width, size_facets, size_text


def test_a_side_is_a_square_and_a_pair_is_height_and_width():
    assert height_and_width(32) == (32, 32)
    assert height_and_width((512, 2048)) == (512, 2048)
    assert size_text((512, 2048)) == "512x2048"


def test_protocols_of_squares_stay_and_others_name_the_padded_size():
    assert render_protocol(Facets(**size_facets(224))) == "res=224"
    assert render_protocol(Facets(**size_facets((512, 2048)))) == "padded=512x2048"
