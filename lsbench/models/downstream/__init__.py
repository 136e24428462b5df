"""Detectors and segmenters on any backbone that gives four maps: RetinaNet, Mask R-CNN and Semantic FPN.

They are made of torchvision's parts, with the authors' numbers where torchvision's defaults give others.
"""
