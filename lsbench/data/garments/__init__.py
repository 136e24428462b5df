"""Embedded garments: photos of Fashion-MNIST, and the scenes and test sets made from them."""
