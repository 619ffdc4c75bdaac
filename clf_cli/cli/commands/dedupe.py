"""clf dedupe."""

from dataclasses import replace

import typer

from clf_cli.cli.console import progress, publish, say
from clf_cli.cli.named_data import DataArgument, ManifestOption, named_data
from clf_cli.cli.options import JsonOption, configured
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)

MADE_BY = "clf dedupe"


@app.command()
@configured("dedupe")
def dedupe(
    resolved: Resolved, data: DataArgument = None, out: ManifestOption = None, as_json: JsonOption = False
) -> None:
    """Keep one copy of each image, in a new manifest."""
    from clf_cli.data.dataset import read_draft, refuse
    from clf_cli.data.samples import WHOLE
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.data.written_manifests import check_manifest_out, write_manifest
    from clf_cli.engine.dedupe import dedupe as one_of_each
    from clf_cli.values.report import DataRef, Report

    section = named_data(resolved, data, "dedupe")
    if out is not None and section.root is not None:
        check_manifest_out(out, section.root, MADE_BY)
    near, threads = resolved.settings.inspect.near_duplicates, scan_threads(resolved.settings.compute.workers)
    draft = read_draft(section, threads, progress)
    refuse(draft.root, draft.findings)
    result = one_of_each(draft, near, threads, progress)
    if out is not None and section.root is not None:
        write_manifest(out, section.root, result.kept, {"by": MADE_BY, "near_duplicates": near})
        say(f"Wrote {out}")
        result = replace(result, file=out.as_posix())
    ref = DataRef(draft.root.as_posix(), WHOLE, draft.fingerprint(), len(draft.samples), 0)
    publish(Report(result, data=ref), as_json=as_json)
