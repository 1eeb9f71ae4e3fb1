package dev.ebb.gateway.relay;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What is counted by database. Of the first {@value #MAX_DATABASES} databases that have clients;
 * all further ones are counted together. For any thread.
 */
public final class DatabaseTraffics {
  /** Under which name the further ones are. No database can be called so. */
  public static final String OTHERS = "(others)";

  private static final int MAX_DATABASES = 500;
  private static final Duration[] BUCKETS = buckets();

  private final MeterRegistry registry;
  private final Map<String, DatabaseTraffic> byName = new ConcurrentHashMap<>();

  public DatabaseTraffics(MeterRegistry registry) {
    this.registry = registry;
  }

  private static Duration[] buckets() {
    long[] micros = {
      100,
      250,
      500,
      1_000,
      2_500,
      5_000,
      10_000,
      25_000,
      50_000,
      100_000,
      250_000,
      500_000,
      1_000_000,
      2_500_000,
      5_000_000,
      10_000_000,
      30_000_000,
      60_000_000
    };
    var buckets = new Duration[micros.length];
    for (int i = 0; i < micros.length; i++) {
      buckets[i] = Duration.ofNanos(micros[i] * 1_000);
    }
    return buckets;
  }

  /** Of a database that somebody has logged in to. */
  public DatabaseTraffic of(String database) {
    DatabaseTraffic known = byName.get(database);
    if (known != null) {
      return known;
    }
    String name = byName.size() < MAX_DATABASES ? database : OTHERS;
    return byName.computeIfAbsent(name, this::make);
  }

  private DatabaseTraffic make(String name) {
    return new DatabaseTraffic(
        name,
        Timer.builder("ebb.gateway.statement")
            .description("From a statement's arrival until it was answered, by database")
            .tag("database", name)
            .serviceLevelObjectives(BUCKETS)
            .register(registry));
  }

  /** All that there are. */
  public List<DatabaseTraffic> all() {
    return List.copyOf(byName.values());
  }
}
