"""What a program needs inside a job of Weir: checkpoints that survive their site, and words on how far it is.

    import weir

    job = weir.Job()
    start = 0
    if job.resume_dir:
        start = int((job.resume_dir / "step").read_text())
    for step in range(start, 1000):
        ...                                     # one step of work
        job.progress(step + 1, 1000)
        job.metric(step + 1, loss=0.5)
        if job.checkpoint_due(every_s=600):     # asked for by the network, or 600 s since the last one
            with job.checkpoint("step-%d" % (step + 1)) as folder:
                (folder / "step").write_text(str(step + 1))

Outside of a job (no WEIR_* in the environment) everything works and nothing is kept, so that one program runs in both places. Python 3.6
and the standard library are enough. docs/reference/checkpoints.md describes the same for programs in any language.
"""
from .job import CheckpointError, Job, RequestSignal
from .manifest import MANIFEST, fault, write_manifest

__all__ = ["CheckpointError", "Job", "MANIFEST", "RequestSignal", "fault", "write_manifest"]
