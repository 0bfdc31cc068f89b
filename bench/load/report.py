"""Report of a load test: table, figures as JSON, drawing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import page, plots
from bench.load.run import Results, cpu, slope
from bench.load.senders import percentile

BEGIN, END = "<!-- load: begin -->", "<!-- load: end -->"


def figures(results: Results) -> dict[str, Any]:
    """All that a load came to, for the table, the drawing and later comparison."""
    sent, windows, samples = results.sent, results.windows, results.samples
    half = samples[len(samples) // 2 :]
    rate = (
        (half[-1].accepted - half[0].accepted) / (half[-1].at_s - half[0].at_s)
        if len(half) > 1
        else 0.0
    )
    ages_s = [one.oldest_s for one in half if one.oldest_s is not None]
    began = results.customers
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": page.commit(),
        "machine": page.machine(),
        "taxis": results.taxis,
        "seconds": results.seconds,
        "window_s": results.window_s,
        "registered_s": round(results.registered_s, 1),
        "rate_found_after_s": round(results.found_s),
        "positions_a_second": round(rate),
        "accepted": sent.accepted,
        "unanswered": sent.unanswered,
        "refused": sent.refused,
        "posts": {str(status): count for status, count in sorted(sent.statuses.items())},
        "post_ms": {str(p): round(percentile(sent.took_ms, p), 1) for p in (50, 99)},
        "ingested": windows.positions,
        "superseded": sent.accepted - results.counted["newest"],
        "unknown": windows.unknown,
        "failed_windows": windows.failed,
        "begun_again": windows.retries,
        "oldest_s": {str(p): round(percentile(ages_s, p), 1) for p in (50, 100)},
        "counted": results.counted,
        "after_restart": results.after_restart,
        "searches": dict(began.searched) if began else {},
        "search_ms": {str(p): round(percentile(began.took_ms, p), 1) for p in (50, 99) if began},
        "hails": dict(began.hails) if began else {},
        "drained_s": round(results.drained_s, 1),
        "stopped_s": round(results.stopped_s, 1),
        "processes_started_again": results.started_again,
        "processes": {
            role: {
                "rss_mb": round(used.rss_kb / 1024),
                "kb_a_minute": round(slope(samples, role)),
                "cores": round(cpu(samples, role), 2),
            }
            for role, used in samples[-1].use.items()
        },
        "samples": [
            {
                "at_s": round(one.at_s, 1),
                "accepted": one.accepted,
                "ingested": one.stored,
                "oldest_s": one.oldest_s,
                "rss_mb": {role: round(used.rss_kb / 1024, 1) for role, used in one.use.items()},
            }
            for one in samples
        ],
    }


def table(found: dict[str, Any]) -> str:
    """The table, as Markdown."""
    counted, posts = found["counted"], found["posts"]
    rows = [
        ("taxis, registered and reporting", f"{found['taxis']:,}"),
        ("positions a second, last half", f"{found['positions_a_second']:,}"),
        ("positions accepted", f"{found['accepted']:,}"),
        ("of these stored as a taxi's newest", f"{counted['newest']:,}"),
        ("superseded by a newer one", f"{found['superseded']:,}"),
        ("**lost: taxis whose newest is not stored**", f"**{counted['lost']}**"),
        ("the same after a stop and a start", f"**{found['after_restart']['lost']}**"),
        ("handled by ingest", f"{found['ingested']:,}"),
        ("POSTs by status (0: no answer)", ", ".join(f"{k}: {v:,}" for k, v in posts.items())),
        ("ms of a POST of 50, p50 / p99", " / ".join(map(str, found["post_ms"].values()))),
        (
            "age of a window's oldest position when it can be searched, median / worst",
            " / ".join(f"{value} s" for value in found["oldest_s"].values()),
        ),
        (
            "windows that failed / cells begun again",
            f"{found['failed_windows']} / {found['begun_again']}",
        ),
        ("searches", _counts(found["searches"])),
        ("ms of a search, p50 / p99", " / ".join(map(str, found["search_ms"].values()))),
        ("hails", _counts(found["hails"])),
        ("hails not over, taxis still held", f"{counted['hails_open']}, {counted['taxis_held']}"),
        ("seconds to drain, to stop", f"{found['drained_s']}, {found['stopped_s']}"),
        ("processes that were started again", str(found["processes_started_again"])),
    ]
    head = (
        f"{found['at']}, after commit `{found['commit']}`, {found['machine']}; "
        f"{found['seconds']:.0f} s, windows of {found['window_s']:g} s, rate found after "
        f"{found['rate_found_after_s']} s."
    )
    lines = [head, "", "| what | seen |", "| --- | --- |"]
    lines += [f"| {what} | {seen} |" for what, seen in rows]
    lines += ["", "| process | memory at the end, MB | slope of the last half, KB/min | cores |"]
    lines += ["| --- | --- | --- | --- |"]
    lines += [
        f"| {role} | {used['rss_mb']} | {used['kb_a_minute']:,} | {used['cores']} |"
        for role, used in found["processes"].items()
    ]
    return "\n".join(lines)


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in found.items())


def drawn(found: dict[str, Any], to: Path) -> None:
    """Draws rate, age and memory over the time of the load, as SVG."""
    samples = found["samples"]
    panels = ("positions/s", "oldest in a window, s", "memory, MB")
    title = f"{found['taxis']:,} taxis on one machine of {found['machine']}"
    with plots.drawing(to, *panels, title=title) as (rate, age, memory):
        spans = list(zip(samples, samples[10:], strict=False))
        rate.plot(
            [after["at_s"] / 60 for _, after in spans],
            [
                (after["accepted"] - before["accepted"]) / (after["at_s"] - before["at_s"])
                for before, after in spans
            ],
        )
        aged = [one for one in samples if one["oldest_s"] is not None]
        age.plot([one["at_s"] / 60 for one in aged], [one["oldest_s"] for one in aged], ".")
        minutes = [one["at_s"] / 60 for one in samples]
        for role in samples[-1]["rss_mb"]:
            memory.plot(minutes, [one["rss_mb"].get(role) for one in samples], label=role)
        memory.set_yscale("log")
        memory.set_xlabel("minutes")
        memory.legend(ncol=3)
        for axes in (rate, age):
            axes.set_ylim(bottom=0)
