package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A gateway that takes over another one's port. */
@EnabledOnOs(OS.LINUX)
final class TakeOverIT {
  private static final int CLIENTS = 4;

  @TempDir private Path directory;

  private GatewayFixture start(String name, int port) throws Exception {
    Path own = Files.createDirectories(directory.resolve(name));
    return new GatewayFixture(
        own,
        config ->
            new GatewayConfig(
                    config.host(),
                    port,
                    config.tlsDirectory(),
                    null,
                    null,
                    false,
                    config.loginTimeoutMs(),
                    config.wakeTimeoutMs(),
                    config.maxUnauthenticated(),
                    config.maxConnections(),
                    2)
                .with(new GatewayOperations(null, 30_000, true)));
  }

  /** Connects again and again until told to stop; what fails before a session began is kept. */
  private static void connectAgainAndAgain(
      int port, AtomicBoolean over, AtomicInteger sessions, Queue<String> failures) {
    while (!over.get()) {
      try (var client = RawClient.login(port, "app", RealPostgres.PASSWORD, "shop")) {
        assertThat(client.processId).isPositive();
        sessions.incrementAndGet();
      } catch (Exception e) {
        failures.add(e.toString());
      }
    }
  }

  @Test
  void noConnectionIsRefusedOrReset() throws Exception {
    try (var first = start("first", 0)) {
      var over = new AtomicBoolean();
      var sessions = new AtomicInteger();
      var failures = new ConcurrentLinkedQueue<String>();
      try (var threads = Executors.newVirtualThreadPerTaskExecutor();
          var staying = first.jdbc()) {
        for (int i = 0; i < CLIENTS; i++) {
          var _ = threads.submit(() -> connectAgainAndAgain(first.port, over, sessions, failures));
        }
        Await.until("sessions", () -> sessions.get() > 20);
        try (var second = start("second", first.port)) {
          staying.setAutoCommit(false);
          staying.createStatement().execute("SELECT 1");
          var drained = first.service.drain();
          Await.until(
              "all new sessions to be the second one's",
              () -> first.gauge("ebb.gateway.connections") == 1);
          int before = sessions.get();
          Await.until("more sessions", () -> sessions.get() > before + 20);
          // The transaction that was running when the port was left can still be ended.
          staying.commit();
          Await.get(drained);
          first.undeploy();
          int without = sessions.get();
          Await.until("sessions without the first", () -> sessions.get() > without + 20);
          over.set(true);
          threads.shutdown();
          assertThat(threads.awaitTermination(30, java.util.concurrent.TimeUnit.SECONDS)).isTrue();
          assertThat(logins(second)).isGreaterThan(40);
        }
      } finally {
        over.set(true);
      }
      assertThat(new ArrayList<>(failures)).isEmpty();
    }
  }

  private static double logins(GatewayFixture gateway) {
    return gateway.meters.get("ebb.gateway.logins").tag("outcome", "ok").counter().count();
  }

  @Test
  void withoutSharingAPortASecondGatewayDoesNotStart() throws Exception {
    try (var first = start("first", 0)) {
      org.assertj.core.api.Assertions.assertThatThrownBy(() ->
              new GatewayFixture(
                      Files.createDirectories(directory.resolve("other")),
                      config ->
                          new GatewayConfig(
                              config.host(),
                              first.port,
                              config.tlsDirectory(),
                              null,
                              null,
                              false,
                              config.loginTimeoutMs(),
                              config.wakeTimeoutMs(),
                              config.maxUnauthenticated(),
                              config.maxConnections(),
                              1))
                  .close())
          .hasMessageContaining("cannot listen");
    }
  }
}
