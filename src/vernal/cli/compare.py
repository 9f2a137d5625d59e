"""``vernal compare``: two data sets, without any project."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from vernal.cli.options import AsJson
from vernal.cli.output import Output, warn

DRIFTED = 3
"""Exit status with ``--fail-on-drift`` when a column drifted, apart from that of errors."""


def compare(  # noqa: PLR0913, PLR0917 - typer takes each option as a parameter
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="Parquet file, folder of them, Delta table, or a stored baseline.")
    ],
    current: Annotated[str, typer.Argument(metavar="CUR", help="Parquet file, folder of them, or Delta table.")],
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report with distributions then and now.")
    ] = None,
    save_baseline: Annotated[
        Path | None,
        typer.Option(
            "--save-baseline", metavar="FILE", help="Store the reference's profile: REF of later comparisons."
        ),
    ] = None,
    features: Annotated[
        list[str] | None, typer.Option("--feature", metavar="NAME", help="Compare this column; may be repeated.")
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="NAME=KIND", help="Compare a column as numerical or categorical; repeatable."),
    ] = None,
    psi: Annotated[float, typer.Option(help="Threshold of PSI, for numerical columns.")] = 0.15,
    js: Annotated[float, typer.Option(help="Threshold of the Jensen-Shannon distance, for categorical ones.")] = 0.15,
    ks: Annotated[
        float | None, typer.Option(help="Threshold of the Kolmogorov-Smirnov distance; by default it does not decide.")
    ] = None,
    false_discovery: Annotated[float, typer.Option(help="Expected share of false ones among the drifted.")] = 0.01,
    bins: Annotated[int, typer.Option(help="Bins of a numerical column.")] = 10,
    min_rows: Annotated[int, typer.Option(help="Rows that both sides need for a verdict.")] = 1000,
    threads: Annotated[int | None, typer.Option(help="Columns read at the same time; up to 4 by default.")] = None,
    fail_on_drift: Annotated[
        bool, typer.Option("--fail-on-drift", help="Exit with status 3 if a column drifted.")
    ] = False,
) -> None:
    """Compare two data sets: which columns moved, how much, how sure that is, and what is not known.

    Needs no project.
    """
    from vernal.comparing import compare as compare_data

    overruled = _overruled(kinds)
    for path in (html, save_baseline):
        _refuse_without_folder(path)
    if save_baseline is not None:
        _save_baseline(save_baseline, reference, features, overruled, threads)
        reference, overruled = str(save_baseline), {}
    found = compare_data(
        reference,
        current,
        features=features,
        kinds=overruled,
        psi=psi,
        js=js,
        ks=ks,
        false_discovery=false_discovery,
        bins=bins,
        min_rows=min_rows,
        threads=threads,
        progress=_progress(),
    )
    output = Output(as_json=as_json)
    output.document(found.to_dict())
    output.renderable(found, repr(found))
    if html is not None:
        _write(html, found.to_html().encode())
        warn(f"Report: {html}")
    if fail_on_drift and found.has_drifted:
        raise typer.Exit(DRIFTED)


def _overruled(kinds: list[str] | None) -> dict[str, str]:
    overruled = {}
    for asked in kinds or []:
        name, equals, kind = asked.rpartition("=")
        if not equals or not name:
            raise typer.BadParameter(
                f"found {asked!r}, expected NAME=numerical or NAME=categorical", param_hint="--kind"
            )
        overruled[name] = kind
    return overruled


def _save_baseline(
    path: Path, reference: str, features: list[str] | None, kinds: dict[str, str], threads: int | None
) -> None:
    from vernal.comparing import build_baseline

    _write(
        path,
        build_baseline(reference, features=features, kinds=kinds, threads=threads, progress=_progress()).to_bytes(),
    )
    warn(f"Baseline: {path}")


def _progress() -> Callable[[int, int], None] | None:
    """Return what keeps a line on the terminal up to date and wipes it at the end; nothing where nobody looks."""
    if not sys.stderr.isatty():
        return None

    def told(done: int, of: int) -> None:
        text = f"{done} of {of} columns read"
        sys.stderr.write(f"\r{text}" if done < of else f"\r{' ' * len(text)}\r")
        sys.stderr.flush()

    return told


def _refuse_without_folder(path: Path | None) -> None:
    """Say before the work what would be in the way after it."""
    from vernal.errors import DataError

    if path is not None and not path.parent.is_dir():
        raise DataError(f"{path}: cannot be written: there is no folder {path.parent}", hint="Make the folder first.")


def _write(path: Path, content: bytes) -> None:
    from vernal.errors import DataError

    try:
        path.write_bytes(content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error}") from error
