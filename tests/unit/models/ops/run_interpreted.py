"""Runs SKA's GPU programs on the CPU, with Triton's interpreter, in a process of its own.

    TRITON_INTERPRET=1 python run_interpreted.py CASES RESULTS

CASES is a saved dictionary from a name to (grad, x, weight, kernel), or to the arguments of the tail; RESULTS
becomes one from the name to (y, grad_x, grad_weight), or to the tail's result.
"""

import sys

import torch

from lsbench.models.ops import ska_triton


def main(cases, results):
    found = {}
    for name, case in torch.load(cases).items():
        ska_triton.WIDE_FROM = 0 if "wide" in name else 2**30
        if len(case) == 6:
            found[name] = ska_triton.tail(*case)
            continue
        grad, x, weight, kernel = case
        found[name] = (ska_triton.forward(x, weight, kernel), *ska_triton.backward(grad, x, weight, kernel))
    torch.save(found, results)


if __name__ == "__main__":
    main(*sys.argv[1:])
