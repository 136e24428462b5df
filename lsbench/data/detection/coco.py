"""COCO-2017 as published: 80 categories, whose ids go from 1 to 90 with ten gaps, and the places of files.

Source:
    Lin et al., Microsoft COCO, ECCV 2014, arXiv:1405.0312.
"""

from __future__ import annotations

from lsbench.data.detection.files import Layout

#: Numbers between 1 and 90 that are no category of COCO-2017.
GAPS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
#: Ids of the categories, ascending; the class of an object is the place of its category here.
COCO_IDS = tuple(number for number in range(1, 91) if number not in GAPS)
#: Their names, in the same order.
COCO_NAMES = tuple(
    """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball
bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife,
spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair,
couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone,
microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier,
toothbrush
""".replace("\n", " ")
    .strip()
    .split(", ")
)
#: Places of annotations and images.
COCO_LAYOUT = Layout(
    "annotations/instances_<split>2017.json",
    "<split>2017",
    "unpack train2017.zip, val2017.zip and annotations_trainval2017.zip of cocodataset.org into one folder "
    "and name it with 'root:' or --data",
)
