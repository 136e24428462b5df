"""The loops of COCO's evaluation: detections are matched to objects, and matches make precision.

Shapes: D detections and G objects of all images; A ranges of area, T thresholds of overlap (at most 16, a bit
each). A group is an image and a class.
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import numpy as np

from lsbench.core.loops import helper_compiler, loop_compiler

compiled = loop_compiler()
helper = helper_compiler()

#: The distance of 1.0 to the next number, which COCO adds to each denominator.
SPACING = np.spacing(1.0)


@compiled
def match_groups(groups, overlaps, ignored, is_crowd, is_outside, thresholds, hit, left_out):
    """Match detections to objects greedily, in descending order of scores, group by group.

    Args:
        groups: Of each image and class, where its detections start and end, and where its objects do, four
            rows.
        overlaps: Intersection over union (over the detection's area for crowds) of each detection of a group
            with each of its objects, one group after the other.
        ignored: Whether an object does not count in a range of area, ``(A, G)``.
        is_crowd: Whether an object may be matched more than once, ``(G,)``.
        is_outside: Whether a detection's area is outside of a range, ``(A, D)``.
        thresholds: Least overlaps, ``(T,)``.
        hit: Receives a bit per threshold for each matched detection, uint16, ``(D, A)``.
        left_out: Receives a bit per threshold for each detection that does not count, uint16, ``(D, A)``.
    """
    place = 0
    for group in range(groups.shape[1]):
        first, last, start, end = groups[:, group]
        size = (last - first) * (end - start)
        own = overlaps[place : place + size].reshape(last - first, end - start)
        place += size
        for area in range(ignored.shape[0]):
            if size:
                _match_group(
                    own,
                    ignored[area, start:end],
                    is_crowd[start:end],
                    thresholds,
                    hit[first:last, area],
                    left_out[first:last, area],
                )
            for row in range(first, last):
                if is_outside[area, row]:
                    every = np.uint16((1 << len(thresholds)) - 1)
                    left_out[row, area] |= every & ~hit[row, area]


@helper
def _match_group(overlaps, ignored, is_crowd, thresholds, hit, left_out):
    """Match the detections of one image, class and range of area."""
    order = np.empty(overlaps.shape[1], np.int64)
    _put_ignored_last(ignored, order)
    is_gone = np.empty(overlaps.shape[1], np.bool_)
    for step in range(len(thresholds)):
        bit = np.uint16(1 << step)
        is_gone[:] = False
        for row in range(overlaps.shape[0]):
            match = _best_object(overlaps[row], order, ignored, is_gone, min(thresholds[step], 1 - 1e-10))
            if match >= 0:
                is_gone[match] = not is_crowd[match]
                hit[row] |= bit
                if ignored[match]:
                    left_out[row] |= bit


@helper
def _put_ignored_last(ignored, order):
    """Fill `order` with the objects, those that do not count at the end."""
    place = 0
    for state in (False, True):
        for one in range(len(ignored)):
            if ignored[one] == state:
                order[place] = one
                place += 1


@helper
def _best_object(overlaps, order, ignored, is_gone, least):
    """Return the free object of the largest overlap, at least `least`, or -1; those that count go first."""
    best, match = least, -1
    for one in order:
        if is_gone[one]:
            continue
        if match >= 0 and not ignored[match] and ignored[one]:
            break
        if overlaps[one] >= best:
            best, match = overlaps[one], one
    return match


@compiled
def mean_precisions(detections, class_ends, weights, positives, steps, recalls, out):
    """Compute the mean precision at given recalls of each class at some thresholds.

    An image of weight w counts as w images in a row. Equal scores keep the order of images, and within an
    image that of its detections, copy by copy.

    Args:
        detections: Image of each detection, its score, and its bits of matches and of not counting, all of
            shape ``(D,)``, by class and descending score.
        class_ends: Where the detections of each class end, ``(K,)``.
        weights: Weight of each image, int64.
        positives: Objects to be found of each class, weighted, ``(K,)``.
        steps: Places of the thresholds.
        recalls: Ascending recalls, ``(R,)``.
        out: Receives the means where a class has objects, ``(steps, K)``.
    """
    images, scores, hit, left_out = detections
    start = 0
    for label in range(len(class_ends)):
        end = class_ends[label]
        if positives[label] > 0:
            points = 0
            for row in range(start, end):
                points += weights[images[row]]
            curve = np.empty((2, points))
            for place in range(len(steps)):
                own = (images[start:end], scores[start:end], hit[start:end], left_out[start:end])
                used = _fill_curve(own, steps[place], weights, positives[label], curve)
                out[place, label] = _mean_at(recalls, curve, used)
        start = end


@helper
def _fill_curve(detections, step, weights, positives, curve):
    """Fill in precision and recall after each detection of a class; return the number of points."""
    images, scores, hit, left_out = detections
    right, wrong, points, row = 0, 0, 0, 0
    while row < len(images):
        end = _end_of_equals(images, scores, row)
        weight = weights[images[row]]
        copies, each = (weight, 1) if end > row + 1 else (min(weight, 1), weight)
        for _ in range(copies):
            for one in range(row, end):
                if left_out[one] >> step & 1:
                    continue
                is_hit = hit[one] >> step & 1
                right, wrong = right + each * is_hit, wrong + each * (1 - is_hit)
                curve[0, points] = right / (right + wrong + SPACING)
                curve[1, points] = right / positives
                points += 1
        row = end
    return points


@helper
def _end_of_equals(images, scores, row):
    """Return where the detections end that have the image and the score of the one at `row`."""
    end = row + 1
    while end < len(images) and images[end] == images[row] and scores[end] == scores[row]:
        end += 1
    return end


@helper
def _mean_at(recalls, curve, points):
    """Return the mean over `recalls` of the best precision at that recall or above; 0 beyond the last."""
    for one in range(points - 1, 0, -1):
        curve[0, one - 1] = max(curve[0, one - 1], curve[0, one])
    total, one = 0.0, 0
    for recall in recalls:
        while one < points and curve[1, one] < recall:
            one += 1
        if one == points:
            break
        total += curve[0, one]
    return total / len(recalls)
