package dev.ebb.gateway.pool;

import dev.ebb.gateway.relay.Traffic;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.function.Supplier;

/** What is counted of pools. For any thread. */
public final class PoolTraffic {
  private final Traffic bytes;
  private final Timer waits;
  private final Counter transactions;
  private final Counter restored;
  private final Counter probed;
  private final MeterRegistry registry;

  public PoolTraffic(Traffic bytes, MeterRegistry registry) {
    this.bytes = bytes;
    this.registry = registry;
    this.waits =
        Timer.builder("ebb.gateway.pool.wait")
            .description("How long transactions waited for a connection, where they did")
            .publishPercentileHistogram()
            .minimumExpectedValue(Duration.ofMillis(1))
            .maximumExpectedValue(Duration.ofMinutes(2))
            .register(registry);
    this.transactions = counter("transactions", "Transactions that were given a connection");
    this.restored = counter("restores", "Transactions whose session's settings were set again");
    this.probed = counter("probes", "Transactions whose session was looked at behind them");
  }

  private Counter counter(String name, String description) {
    return Counter.builder("ebb.gateway.pool." + name).description(description).register(registry);
  }

  /** Shows what is in use. */
  void uses(Supplier<PoolUse> use) {
    gauge("connections", "active", "Connections to computes", () -> use.get().active());
    gauge("connections", "idle", "Connections to computes", () -> use.get().idle());
    gauge("connections", "opening", "Connections to computes", () -> use.get().opening());
    gauge("clients", "waiting", "Clients that share them", () -> use.get().waiting());
    gauge(
        "clients",
        "other",
        "Clients that share them",
        () -> use.get().clients() - use.get().waiting());
  }

  private void gauge(String name, String state, String description, Supplier<Number> value) {
    Gauge.builder("ebb.gateway.pool." + name, value)
        .description(description)
        .tag("state", state)
        .strongReference(true)
        .register(registry);
  }

  void toClients(int count) {
    bytes.out(count);
  }

  void fromClients(int count) {
    bytes.in(count);
  }

  void waited(long nanos) {
    waits.record(Duration.ofNanos(nanos));
  }

  void transaction() {
    transactions.increment();
  }

  void restored() {
    restored.increment();
  }

  void probed() {
    probed.increment();
  }

  /** A client keeps its connection. */
  void pinned(String reason) {
    Counter.builder("ebb.gateway.pool.pins")
        .description("Clients that keep their connection, by why")
        .tag("reason", reason)
        .register(registry)
        .increment();
  }
}
