package dev.ebb.computeservice.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.sql.AdminConnection;
import dev.ebb.computeservice.template.PostgresFixture;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.RoleState;
import io.vertx.pgclient.PgConnection;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
final class SessionsIT {
  private static final Duration BOUND = Duration.ofSeconds(20);

  private final PostgresFixture postgres;
  private final PostgresFixture.Server server;
  private final AdminConnection admin;

  SessionsIT() throws IOException {
    postgres = PostgresFixture.get();
    server = postgres.start(postgres.lay(postgres.template, postgres.template.control()));
    admin =
        PostgresFixture.await(
            AdminConnection.connect(postgres.vertx, server.sockets, server.port, BOUND));
  }

  @BeforeEach
  void makeRole() {
    server.sql("postgres", "CREATE ROLE changing LOGIN CONNECTION LIMIT 0");
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
    postgres.clean();
  }

  /** Sessions come, change a role and go, as fast as they can, until they are refused. */
  @Test
  void noSessionChangesARoleBehindTheLook() throws InterruptedException {
    var acknowledged = new AtomicInteger();
    var threads = new ArrayList<Thread>();
    var changes = new AtomicInteger();
    for (int i = 0; i < 4; i++) {
      threads.add(
          Thread.ofVirtual()
              .start(() -> {
                try {
                  while (true) {
                    PgConnection session = server.connect("postgres");
                    synchronized (changes) {
                      int limit = changes.incrementAndGet();
                      PostgresFixture.await(
                          session.query("ALTER ROLE changing CONNECTION LIMIT " + limit).execute());
                      acknowledged.set(limit);
                    }
                    session.close();
                  }
                } catch (RuntimeException e) {
                  // Refused, or ended: what this test is about.
                }
              }));
    }
    await(() -> acknowledged.get() >= 20);

    Sessions.endAll(server.process, admin, BOUND);
    List<RoleState> roles = PostgresFixture.await(admin.roles());
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(limitOf(roles)).isBetween(acknowledged.get(), changes.get());
    assertThat(limitOf(PostgresFixture.await(admin.roles())))
        .as("nothing changed it behind the look")
        .isEqualTo(limitOf(roles));
  }

  private static int limitOf(List<RoleState> roles) {
    return roles.stream()
        .filter(role -> role.name().equals("changing"))
        .findFirst()
        .orElseThrow()
        .connectionLimit();
  }

  @Test
  void sessionThatIsStillLoggingInIsEndedToo() throws IOException {
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), server.port)) {
      sayHello(client);
      assertThat(client.getInputStream().read()).as("asks for a password").isEqualTo('R');
      Sessions.endAll(server.process, admin, BOUND);
      assertThat(client.getInputStream().readAllBytes()).as("what it is told").isNotNull();
    }
    assertThatThrownBy(() -> server.connect("postgres")).hasMessageContaining("shutting down");
  }

  /** A startup packet, and no answer to what comes then. */
  private static void sayHello(Socket client) throws IOException {
    byte[] names = "user\0changing\0database\0postgres\0\0".getBytes(StandardCharsets.US_ASCII);
    var out = new DataOutputStream(client.getOutputStream());
    out.writeInt(8 + names.length);
    out.writeInt(3 << 16);
    out.write(names);
    out.flush();
  }

  @Test
  void sessionThatDoesNotEndInTimeIsAnError() {
    PgConnection stubborn = server.connect("postgres");
    String backend =
        PostgresFixture.await(stubborn.query("SELECT pg_backend_pid()").execute())
            .iterator()
            .next()
            .getInteger(0)
            .toString();
    signal("STOP", backend);
    try {
      assertThatThrownBy(() -> Sessions.endAll(server.process, admin, Duration.ofMillis(500)))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("did not end");
    } finally {
      signal("CONT", backend);
    }
  }

  /** Until it hears of it, it lets in whoever comes. */
  @Test
  void postmasterThatHasNotHeardYetIsWaitedFor() {
    String postmaster = Long.toString(server.process.pid());
    signal("STOP", postmaster);
    try {
      assertThatThrownBy(() -> Sessions.endAll(server.process, admin, Duration.ofMillis(300)))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("did not begin to refuse");
    } finally {
      signal("CONT", postmaster);
    }
    Sessions.endAll(server.process, admin, BOUND);
    assertThatThrownBy(() -> server.connect("postgres")).hasMessageContaining("shutting down");
  }

  private static void signal(String name, String pid) {
    try {
      assertThat(new ProcessBuilder("kill", "-" + name, pid).start().waitFor()).isZero();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void await(java.util.function.BooleanSupplier condition) {
    long deadline = System.nanoTime() + BOUND.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("in time").isLessThan(deadline);
      LockSupport.parkNanos(1_000_000);
    }
  }
}
