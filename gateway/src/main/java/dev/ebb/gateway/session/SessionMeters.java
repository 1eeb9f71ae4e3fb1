package dev.ebb.gateway.session;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;

/** What is counted of sessions. */
public final class SessionMeters {
  private final MeterRegistry registry;
  private final Counter succeeded;
  private final Counter failed;

  public SessionMeters(MeterRegistry registry, LiveSessions live, Admission admission) {
    this.registry = registry;
    Gauge.builder("ebb.gateway.connections", live, LiveSessions::size)
        .description("Client connections")
        .register(registry);
    Gauge.builder("ebb.gateway.connections.unauthenticated", admission, Admission::count)
        .description("Client connections that are not authenticated yet")
        .register(registry);
    this.succeeded = logins("ok");
    this.failed = logins("failed");
  }

  private Counter logins(String outcome) {
    return Counter.builder("ebb.gateway.logins")
        .description("Passwords proven or not")
        .tag("outcome", outcome)
        .register(registry);
  }

  void loginSucceeded() {
    succeeded.increment();
  }

  void loginFailed() {
    failed.increment();
  }

  /** A client's connection ended. */
  void disconnected(DisconnectReason reason) {
    Counter.builder("ebb.gateway.disconnects")
        .description("Clients' connections that ended, by why")
        .tag("reason", reason.word())
        .register(registry)
        .increment();
  }

  /** A compute was started for a client. */
  void woken() {
    Counter.builder("ebb.gateway.wakes")
        .description("Computes that were started for clients")
        .register(registry)
        .increment();
  }

  /** A connection was refused or could not be completed. */
  void refused(String sqlState) {
    Counter.builder("ebb.gateway.refusals")
        .description("Connections refused, by SQLSTATE")
        .tag("sqlstate", sqlState)
        .register(registry)
        .increment();
  }

  /**
   * A client got its first ReadyForQuery.
   *
   * @param started whether a compute was started for it
   */
  void connected(boolean started, long authNanos, long wakeNanos, long backendNanos) {
    record(started, "auth", authNanos);
    record(started, "wake", wakeNanos);
    record(started, "backend", backendNanos);
    record(started, "total", authNanos + wakeNanos + backendNanos);
  }

  private void record(boolean started, String part, long nanos) {
    Timer.builder("ebb.gateway.connect")
        .description("From a client's startup packet to its first ReadyForQuery, in parts")
        .tag("part", part)
        .tag("started", Boolean.toString(started))
        .publishPercentileHistogram()
        .minimumExpectedValue(Duration.ofMillis(1))
        .maximumExpectedValue(Duration.ofSeconds(60))
        .register(registry)
        .record(Duration.ofNanos(nanos));
  }
}
