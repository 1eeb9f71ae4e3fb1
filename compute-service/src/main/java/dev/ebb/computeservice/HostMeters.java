package dev.ebb.computeservice;

import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.computeservice.lifecycle.Replicas;
import dev.ebb.computeservice.localcache.LocalCache;
import dev.ebb.computeservice.sql.ReplicaActivity;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.ReplicaStatus;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.TimeGauge;
import io.micrometer.core.instrument.binder.BaseUnits;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;

/** The host's figures as metrics. */
final class HostMeters {
  private HostMeters() {}

  static void bind(MeterRegistry meters, Host host) {
    Gauge.builder("ebb.compute.room", host, Host::room)
        .description("How many more computes fit on this host")
        .register(meters);
    sum(meters, host, "ebb.compute.running", "Computes on this host", null, c -> 1);
    sum(
        meters,
        host,
        "ebb.compute.connections",
        "Client sessions of this host's computes",
        null,
        ComputeStatus::connections);
    sum(
        meters,
        host,
        "ebb.compute.resident",
        "Memory of this host's computes",
        BaseUnits.BYTES,
        ComputeStatus::residentBytes);
    sum(
        meters,
        host,
        "ebb.compute.hydrated",
        "Relation data fetched on demand by the computes that run now",
        BaseUnits.BYTES,
        ComputeStatus::hydratedBytes);
    Gauge.builder("ebb.compute.misses", host, Host::misses)
        .description("Reads that had to wait for pages, of the computes that run now")
        .register(meters);
    Gauge.builder("ebb.compute.prewarmed", host, Host::prewarmedBytes)
        .description("Relation data fetched because the wake before used it")
        .baseUnit(BaseUnits.BYTES)
        .register(meters);
    sum(
        meters,
        host,
        "ebb.compute.boot",
        "Relation data put in place before the start of the computes that run now",
        BaseUnits.BYTES,
        ComputeStatus::bootBytes);
  }

  static void bind(MeterRegistry meters, Replicas replicas) {
    Gauge.builder("ebb.replica.running", replicas, r -> r.statuses().size())
        .description("Replicas on this host")
        .register(meters);
    Gauge.builder(
            "ebb.replica.lag",
            replicas,
            r -> r.statuses().stream().mapToLong(ReplicaStatus::lagBytes).max().orElse(0))
        .description("Durable WAL that the replica of this host that is farthest behind lacks")
        .baseUnit(BaseUnits.BYTES)
        .register(meters);
    TimeGauge.builder(
            "ebb.replica.lag.time",
            replicas,
            TimeUnit.MILLISECONDS,
            r -> r.statuses().stream().mapToLong(ReplicaStatus::lagMs).max().orElse(0))
        .description("For how long the oldest of that has been durable")
        .register(meters);
    FunctionCounter.builder("ebb.replica.crashes", replicas, Replicas::crashes)
        .description("Replicas of this host that ended by themselves")
        .register(meters);
    conflicts(meters, replicas, "tablespace", ReplicaActivity.Conflicts::tablespaces);
    conflicts(meters, replicas, "lock", ReplicaActivity.Conflicts::locks);
    conflicts(meters, replicas, "snapshot", ReplicaActivity.Conflicts::snapshots);
    conflicts(meters, replicas, "bufferpin", ReplicaActivity.Conflicts::pins);
    conflicts(meters, replicas, "deadlock", ReplicaActivity.Conflicts::deadlocks);
  }

  private static void conflicts(
      MeterRegistry meters,
      Replicas replicas,
      String with,
      ToDoubleFunction<ReplicaActivity.Conflicts> figure) {
    FunctionCounter.builder(
            "ebb.replica.conflicts", replicas, r -> figure.applyAsDouble(r.conflicts()))
        .description("Queries on replicas that were cancelled because replay could not wait")
        .tag("with", with)
        .register(meters);
  }

  static void bind(MeterRegistry meters, LocalCache cache) {
    Gauge.builder("ebb.compute.cache", cache, LocalCache::usedBytes)
        .description("Pages of this host's computes on its local disk")
        .baseUnit(BaseUnits.BYTES)
        .register(meters);
    Gauge.builder("ebb.compute.cache.limit", cache, LocalCache::limitBytes)
        .description("What pages of this host's computes may take of its local disk")
        .baseUnit(BaseUnits.BYTES)
        .register(meters);
    FunctionCounter.builder("ebb.compute.cache.evicted", cache, LocalCache::evictedBytes)
        .description("Pages that were given back to the local disk, to stay below the limit")
        .baseUnit(BaseUnits.BYTES)
        .register(meters);
  }

  private static void sum(
      MeterRegistry meters,
      Host host,
      String name,
      String description,
      @org.jspecify.annotations.Nullable String unit,
      ToDoubleFunction<ComputeStatus> figure) {
    Gauge.builder(name, host, h -> h.statuses().stream().mapToDouble(figure).sum())
        .description(description)
        .baseUnit(unit)
        .register(meters);
  }
}
