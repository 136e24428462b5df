"""Write a model to a file: an ONNX file, an exported program of torch, or weights under timm's names.

Every file is loaded again and compared with the model before anybody gets it.
"""
