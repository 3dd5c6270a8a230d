"""Write the Grafana dashboard, deployments/grafana/dashboards/streaming_dashboard.json.

Usage: python scripts/make_dashboard.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, SortOrder, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DynamicConfigValue,
    GridPos,
    ValueMap,
    ValueMappingResult,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FILE: Final = Path(__file__).parents[1] / "deployments" / "grafana" / "dashboards" / "streaming_dashboard.json"
_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="$datasource")
_SERVER: Final = 'instance=~"$instance"'
_SPACE: Final = f'{_SERVER}, memory_space=~"$memory_space"'
_P: Final = "engram_streaming"
DURABLE: Final = ', stage="durable"'
INDEXED: Final = ', stage="indexed"'
# Two panels stand beside each other on the grid of 24 columns.
_WIDTH: Final = 12
_HEIGHT: Final = 8


class Query(NamedTuple):
    """An expression and the name of what it returns, in which ``{{label}}`` stands for the value of a label."""

    expr: str
    legend: str


class Plot(NamedTuple):
    """A panel of lines: what it shows, in which unit of Grafana, and why one looks at it."""

    title: str
    unit: str
    description: str
    queries: tuple[Query, ...]
    low: float | None = 0
    high: float | None = None


def p99(name: str, labels: str = _SERVER) -> str:
    """Return the expression for the 99th percentile of a histogram."""
    return f"histogram_quantile(0.99, sum by (instance, le) (rate({_P}_{name}_bucket{{{labels}}}[$__rate_interval])))"


def rate(name: str, by: str, labels: str) -> str:
    """Return the expression for the rate of a counter, summed by labels."""
    return f"sum by ({by}) (rate({_P}_{name}{{{labels}}}[$__rate_interval]))"


THROUGHPUT: Final = Plot(
    "Observations",
    "ops",
    "What is acknowledged as durable, and what is recalled.",
    (
        Query(rate("observations_total", "memory_space", _SPACE), "observed {{memory_space}}"),
        Query(rate("recalls_total", "instance", _SERVER), "recalled {{instance}}"),
    ),
)
REFUSALS: Final = Plot(
    "Refused observations",
    "ops",
    "By reason. Reasons of capacity say that clients are told to come back later; the others, that input is wrong.",
    (Query(rate("observations_rejected_total", "reason", _SPACE), "{{reason}}"),),
)
TAILS: Final = Plot(
    "99th percentiles",
    "s",
    "From receipt to durable, in the queue alone, of recalls, and to the first hits of a streamed recall.",
    (
        Query(p99("observation_latency_seconds", _SERVER + DURABLE), "durable {{instance}}"),
        Query(p99("queue_wait_seconds"), "queue {{instance}}"),
        Query(p99("recall_latency_seconds"), "recall {{instance}}"),
        Query(p99("first_result_seconds"), "first result {{instance}}"),
    ),
)
QUEUE: Final = Plot(
    "Fill of the lanes",
    "percentunit",
    "The fuller of observations and bytes. HighQueueDepth fires above 80 %.",
    (Query(f"priority:{_P}_queue_fill:ratio{{{_SERVER}}}", "{{priority}} {{instance}}"),),
    high=1,
)
WORKERS: Final = Plot(
    "Utilization of the index workers",
    "percentunit",
    "Lines far apart while the index lags mean that work is shared badly.",
    (Query(f"{_P}_worker_utilization{{{_SERVER}}}", "worker {{worker}} {{instance}}"),),
    high=1,
)
LAG: Final = Plot(
    "Index lag",
    "short",
    "Observations that are recallable and not in the graph yet. Each recall scans them.",
    (
        Query(f"sum by (memory_space) ({_P}_index_lag_observations{{{_SPACE}}})", "{{memory_space}}"),
        Query(f"max({p99('observation_latency_seconds', _SERVER + INDEXED)})", "seconds to indexed, P99"),
    ),
)
COMMITS: Final = Plot(
    "Group commits",
    "s",
    "The time of a commit is that of the disk. Mean size is in observations.",
    (
        Query(p99("commit_seconds"), "P99 {{instance}}"),
        Query(
            f"sum(rate({_P}_batch_size_sum{{{_SERVER}}}[$__rate_interval])) "
            f"/ sum(rate({_P}_batch_size_count{{{_SERVER}}}[$__rate_interval]))",
            "mean size",
        ),
    ),
)
RECALL: Final = Plot(
    "Observed recall",
    "percentunit",
    "A sample of recalls is answered again exactly: the share of true neighbours found, with its confidence interval.",
    (Query(f"{_P}_recall_at_k_ratio{{{_SPACE}}}", "{{bound}} {{memory_space}}"),),
    low=None,
    high=1,
)
STORAGE: Final = Plot(
    "Disk and memory",
    "bytes",
    "The server refuses writes once only its reserve of the disk is free.",
    (
        Query(f"sum by (instance) ({_P}_log_bytes{{{_SERVER}}})", "logs {{instance}}"),
        Query(f"sum by (instance) ({_P}_index_bytes{{{_SERVER}}})", "indexes {{instance}}"),
        Query(f"{_P}_disk_free_bytes{{{_SERVER}}}", "disk free {{instance}}"),
        Query(f'process_resident_memory_bytes{{job="engram", {_SERVER}}}', "memory of the process {{instance}}"),
    ),
)
# Names of series that are of another unit than the panel and have the axis on its right.
_RIGHT: Final = {"seconds to indexed, P99": "s", "mean size": "short"}


def build() -> dashboard.Dashboard:
    """Return the dashboard."""
    durable = _buckets("observation_latency_seconds", _SERVER + DURABLE)
    panels: list[timeseries.Panel | heatmap.Panel | statetimeline.Panel] = [
        _lines(THROUGHPUT),
        _lines(REFUSALS),
        _heat("From receipt to durable", "How long observations wait for their acknowledgement.", durable),
        _heat("Recalls", "How long recalls take.", _buckets("recall_latency_seconds", _SERVER)),
        _lines(TAILS),
        _lines(QUEUE),
        _pressure(),
        _lines(WORKERS),
        _lines(LAG),
        _lines(COMMITS),
        _lines(RECALL),
        _lines(STORAGE),
    ]
    made = (
        dashboard.Dashboard("Engram streaming")
        .uid("engram-streaming")
        .tags(["engram"])
        .refresh("10s")
        .time("now-30m", "now")
        .timezone("browser")
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
    )
    for variable in _variables():
        made = made.with_variable(variable)
    for number, panel in enumerate(panels):
        x, y = number % 2 * _WIDTH, number // 2 * _HEIGHT
        made = made.with_panel(panel.id(number + 1).grid_pos(GridPos(h=_HEIGHT, w=_WIDTH, x=x, y=y)))
    return made


def _lines(plot: Plot) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(plot.title)
        .description(plot.description)
        .datasource(_SOURCE)
        .unit(plot.unit)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .fill_opacity(8)
    )
    if plot.low is not None:
        panel = panel.min(plot.low)
    if plot.high is not None:
        panel = panel.max(plot.high)
    for number, query in enumerate(plot.queries):
        panel = panel.with_target(_target(query, number))
        if query.legend in _RIGHT:
            properties = [
                DynamicConfigValue("unit", _RIGHT[query.legend]),
                DynamicConfigValue("custom.axisPlacement", "right"),
            ]
            panel = panel.override_by_name(query.legend, properties)
    return panel


def _heat(title: str, description: str, expr: str) -> heatmap.Panel:
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(_SOURCE)
        # The buckets come from the server, not from values that Grafana sorts into buckets.
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64))
        .y_axis(heatmap.YAxisConfig().unit("s"))
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .with_target(_target(Query(expr, "{{le}}"), 0).format(PromQueryFormat.HEATMAP))
    )


def _pressure() -> statetimeline.Panel:
    names = ("Normal", "green"), ("Warning", "yellow"), ("Critical", "orange"), ("Overloaded", "red")
    states = {str(level): ValueMappingResult(text, color, index=level) for level, (text, color) in enumerate(names)}
    query = Query(f"max by (memory_space) ({_P}_backpressure_state{{{_SPACE}}})", "{{memory_space}}")
    return (
        statetimeline.Panel()
        .title("Backpressure")
        .description("HighBackpressure fires after two of ten minutes in Critical or Overloaded.")
        .datasource(_SOURCE)
        .mappings([ValueMap(states)])
        .with_target(_target(query, 0))
    )


def _target(query: Query, number: int) -> prometheus.Dataquery:
    reference = chr(ord("A") + number)
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(reference).datasource(_SOURCE)


def _buckets(name: str, labels: str) -> str:
    return f"sum by (le) (increase({_P}_{name}_bucket{{{labels}}}[$__rate_interval]))"


def _variables() -> tuple[dashboard.DatasourceVariable | dashboard.QueryVariable, ...]:
    return (
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _labels_variable("instance", "Server", 'label_values(up{job="engram"}, instance)'),
        _labels_variable("memory_space", "Space", f"label_values({_P}_generation{{{_SERVER}}}, memory_space)"),
    )


def _labels_variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(_SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def text() -> str:
    """Return the text of the file."""
    made = build().build()
    for variable in made.templating.list_val or []:
        # The builder gives all variables what only one of intervals has.
        variable.auto = variable.auto_count = variable.auto_min = None
    return JSONEncoder(sort_keys=True, indent=2).encode(made) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
