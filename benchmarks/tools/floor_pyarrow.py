"""A floor: pyarrow decodes every column of the current file, one task per column, and drops it.

floor_pyarrow.py CURRENT
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pyarrow.parquet as pq


def main() -> None:
    """Decode all columns."""
    path = sys.argv[1]
    metadata = pq.read_metadata(path)
    names = metadata.schema.to_arrow_schema().names

    def decode(name: str) -> int:
        file = pq.ParquetFile(path, metadata=metadata, pre_buffer=False)
        return sum(batch.num_rows for batch in file.iter_batches(1 << 18, columns=[name], use_threads=False))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = set(pool.map(decode, names))
    print(json.dumps({"current_rows": sorted(rows)}))


if __name__ == "__main__":
    main()
