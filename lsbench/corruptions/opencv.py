"""OpenCV, limited to one thread: workers divide the images, and a thread pool in each would contend."""

import cv2

__all__ = ["cv2"]

cv2.setNumThreads(1)
