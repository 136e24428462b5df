"""ADE20K's scene parsing benchmark as published: the classes of its labels 1 to 150, and the places of files.

Source:
    Zhou et al., Scene Parsing through ADE20K Dataset, CVPR 2017.
"""

from __future__ import annotations

from lsbench.data.segmentation.folders import PairLayout

_NAMES = """
wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person,
earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea,
mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion,
base, box, column, signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace,
refrigerator, grandstand, path, stairs, runway, case, pool table, pillow, screen door, stairway,
river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench, countertop, stove,
palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel, light,
truck, tower, chandelier, awning, streetlight, booth, television receiver, airplane, dirt track,
apparel, pole, land, bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship,
fountain, conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall,
tent, bag, minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, animal,
bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic light, tray,
ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag
"""
#: Names of the classes. That of the eighth ends in a blank in the list that published checkpoints were made
#: with, so names are compared as they are.
ADE_CLASSES = tuple(
    "bed " if name == "bed" else name for name in _NAMES.replace("\n", " ").strip().split(", ")
)
#: Folder of the published archive.
ADE_FOLDER = "ADEChallengeData2016"
#: Places of images and label maps.
ADE_LAYOUT = PairLayout(
    "images/<split>",
    "annotations/<split>",
    {"train": "training", "val": "validation"},
    f"unpack {ADE_FOLDER}.zip of the MIT Scene Parsing Benchmark and name the folder with 'root:' or --data",
)
