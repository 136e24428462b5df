"""OpenCV, held to one thread: workers share the processor by images, and a pool in each would contend."""

import cv2

__all__ = ["cv2"]

cv2.setNumThreads(1)
