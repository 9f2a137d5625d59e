"""A floor: the process that starts Python, imports numpy and ends."""

import json

import numpy as np

if __name__ == "__main__":
    print(json.dumps({"floor": np.__version__}))
