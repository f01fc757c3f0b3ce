"""The store as Prometheus text: right over any number of processes, because none of them counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from hub.model.delivery import Outcome, State
from hub.model.mirror import MirrorTable
from hub.model.stats import DELIVERY_SECONDS_BOUNDS
from hub.store.store import Transaction
from hub.web import access
from hub.web.context import Health, context

blueprint = Blueprint("metrics", __name__)
blueprint.before_request(access.require_key)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Answer everything at once, read anew for each request."""
    registry = CollectorRegistry(auto_describe=False)
    here = context()
    with here.store.read() as snapshot:
        registry.register(StoreCollector(snapshot, here.health(snapshot)))
        text = generate_latest(registry)
    return Response(text, content_type=CONTENT_TYPE_LATEST)


class StoreCollector(Collector):
    """Return the metric families of one snapshot of the store."""

    def __init__(self, snapshot: Transaction, health: Health) -> None:
        self._snapshot = snapshot
        self._health = health
        self._facts = health.facts
        self._stats = health.stats

    def describe(self) -> list[Metric]:
        """Return nothing: registering reads no numbers."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield self._events()
        yield self._refused()
        yield self._deliveries()
        yield self._attempts()
        yield self._degraded()
        yield self._delivery_seconds()
        yield self._oldest_due()
        yield self._paused()
        yield GaugeMetricFamily(
            "hub_config_last_reload_successful",
            "Whether the last edit of the configuration serves.",
            value=int(not self._facts.files.refused),
        )
        yield self._findings()
        yield self._drift_rows()
        yield self._verified()

    def _events(self) -> Metric:
        family = CounterMetricFamily(
            "hub_events", "Events received, duplicates not counted.", labels=["source", "type"]
        )
        for labels, count in self._snapshot.metrics.events_by_type().items():
            family.add_metric(labels, count)
        return family

    def _refused(self) -> Metric:
        family = CounterMetricFamily(
            "hub_refused", "Requests refused, by the code of the answer.", labels=["source", "code"]
        )
        for labels, count in sorted(self._snapshot.metrics.refused().items()):
            family.add_metric(labels, count)
        return family

    def _deliveries(self) -> Metric:
        family = GaugeMetricFamily("hub_deliveries", "Deliveries by state.", labels=["destination", "state"])
        for name in self._names():
            for state in State:
                family.add_metric([name, state], self._stats.count(state, name))
        return family

    def _attempts(self) -> Metric:
        family = CounterMetricFamily(
            "hub_attempts", "Attempts that ended, by outcome.", labels=["destination", "outcome"]
        )
        counts = self._snapshot.metrics.attempts_by_outcome()
        for name in sorted({*self._names(), *(name for name, _ in counts)}):
            for outcome in Outcome:
                family.add_metric([name, outcome], counts.get((name, outcome), 0))
        return family

    def _degraded(self) -> Metric:
        family = CounterMetricFamily(
            "hub_degraded",
            "Messages that went out in another form than their send block has.",
            labels=["destination"],
        )
        counts = self._snapshot.metrics.degraded()
        for name in sorted({*self._names(), *counts}):
            family.add_metric([name], counts.get(name, 0))
        return family

    def _delivery_seconds(self) -> Metric:
        counts, total = self._snapshot.metrics.delivery_seconds()
        names = [*(str(bound) for bound in DELIVERY_SECONDS_BOUNDS), "+Inf"]
        return HistogramMetricFamily(
            "hub_delivery_seconds",
            "Seconds from an event's arrival to its delivery.",
            buckets=list(zip(names, counts, strict=True)),
            sum_value=total,
        )

    def _oldest_due(self) -> Metric:
        family = GaugeMetricFamily(
            "hub_oldest_due_seconds", "How long the oldest due delivery has waited.", labels=["destination"]
        )
        for name in self._names():
            due_at = self._stats.oldest_due.get(name)
            waited = (self._facts.now - due_at).total_seconds() if due_at else 0.0
            family.add_metric([name], waited)
        return family

    def _paused(self) -> Metric:
        family = GaugeMetricFamily(
            "hub_destination_paused", "Whether a destination is paused.", labels=["destination"]
        )
        for name in self._names():
            family.add_metric([name], int(self._facts.state(name).paused_at is not None))
        return family

    def _findings(self) -> Metric:
        family = GaugeMetricFamily(
            "hub_findings", "Findings about the hub's health.", labels=["code", "severity"]
        )
        counts = Counter(
            (finding.code.value, finding.severity.value) for finding in self._health.all_findings()
        )
        for labels, count in sorted(counts.items()):
            family.add_metric(labels, count)
        return family

    def _drift_rows(self) -> Metric:
        family = GaugeMetricFamily(
            "hub_sync_drift_rows",
            "Rows of a mirror that differ from Clerk, as of the last comparison.",
            labels=["destination", "table"],
        )
        for name, tables in self._mirrors().items():
            for table in tables:
                if table.verified_at is not None:
                    family.add_metric([name, table.name], table.drift)
        return family

    def _verified(self) -> Metric:
        family = GaugeMetricFamily(
            "hub_sync_verified_timestamp_seconds",
            "The time by which every table of a mirror was last compared with Clerk.",
            labels=["destination"],
        )
        for name, tables in self._mirrors().items():
            compared = [table.verified_at.timestamp() for table in tables if table.verified_at is not None]
            if compared:
                family.add_metric([name], min(compared))
        return family

    def _mirrors(self) -> Mapping[str, tuple[MirrorTable, ...]]:
        """Return what is known of the mirrors of today's configuration."""
        known = self._facts.store.mirrors.tables if self._facts.store is not None else {}
        today = self._facts.config.destinations if self._facts.config else {}
        return {name: tables for name, tables in known.items() if name in today}

    def _names(self) -> list[str]:
        """Return the destinations of today's configuration, and others that deliveries name."""
        today = self._facts.config.destinations if self._facts.config else {}
        return sorted({*today, *(name for name, _ in self._stats.deliveries)})
