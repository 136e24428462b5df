from lsbench.corruptions.opencv import cv2


def test_opencv_starts_no_pool_of_threads():
    assert cv2.getNumThreads() == 1
