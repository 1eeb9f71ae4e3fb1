package dev.ebb.computeservice.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.template.PostgresFixture;
import dev.ebb.shared.bus.ComputeMessage.LoginFound;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.DatabaseAccess;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.scram.ScramVerifier;
import io.vertx.core.Future;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.pgclient.PgConnection;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class AdminConnectionIT {
  private static final Secret PASSWORD = new Secret("s3cret");
  private final PostgresFixture postgres = PostgresFixture.get();
  private PostgresFixture.Server server;
  private AdminConnection admin;

  AdminConnectionIT() throws IOException {
    this.server = start();
    this.admin = connect();
  }

  private PostgresFixture.Server start() throws IOException {
    return postgres.start(
        postgres.lay(postgres.template, postgres.template.control()), "autovacuum=off");
  }

  private AdminConnection connect() {
    return await(
        AdminConnection.connect(
            postgres.vertx, server.sockets, server.port, PostgresFixture.PATIENCE));
  }

  @BeforeEach
  void ready() {
    assertThat(await(admin.flushLsn()).isValid()).isTrue();
  }

  @AfterEach
  void stop() throws IOException {
    await(admin.close());
    server.close();
    postgres.clean();
  }

  @Test
  void checkpointAndForcedCommitMoveTheFlushPosition() {
    Lsn before = await(admin.flushLsn());
    Lsn between = await(admin.forceCommit(PostgresFixture.PATIENCE));
    assertThat(between).isGreaterThan(before);
    assertThat(await(admin.flushLsn())).as("behind the commit's record").isGreaterThan(between);
    Lsn after = await(admin.flushLsn());
    assertThat(after).isGreaterThan(before);
    await(admin.checkpoint(PostgresFixture.PATIENCE));
    assertThat(await(admin.flushLsn())).isGreaterThan(after);
    assertThat(await(admin.activity()).flushLsn()).isGreaterThan(after);
  }

  @Test
  void ownerLogsInWithItsPasswordOverTcpAndOwnsTheDatabase() {
    Secret verifier = ScramVerifier.of(PASSWORD).stored();
    await(admin.createOwner("app", verifier, "shop"));
    await(admin.createOwner("app", verifier, "shop"));
    assertThat(server.sql("postgres", "SELECT datname FROM pg_database ORDER BY 1"))
        .containsExactly("postgres", "shop", "template0", "template1");
    PgConnection connection = await(login("app", PASSWORD, "shop"));
    await(connection.query("CREATE TABLE t (i int)").execute());
    await(connection.query("CREATE SCHEMA s").execute());
    await(connection.close());
    assertThatThrownBy(() -> await(login("app", new Secret("wrong"), "shop")))
        .hasMessageContaining("password authentication failed");
    RoleState role = await(admin.role("app")).orElseThrow();
    assertThat(role.canLogin()).isTrue();
    assertThat(role.superuser()).isFalse();
    assertThat(role.verifier()).isEqualTo(verifier);
    assertThat(role.validUntilEpochMs()).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void retryAfterEachStepCompletesTheOwner() {
    Secret verifier = ScramVerifier.of(PASSWORD).stored();
    server.sql("postgres", "CREATE ROLE app");
    await(admin.createOwner("app", verifier, "shop"));
    assertThat(await(admin.role("app")).orElseThrow().verifier()).isEqualTo(verifier);
    server.sql("postgres", "ALTER DATABASE shop OWNER TO ebb_admin");
    await(admin.createOwner("app", verifier, "shop"));
    assertThat(
            server.sql(
                "postgres",
                "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'"))
        .containsExactly("app");
  }

  @ParameterizedTest
  @ValueSource(strings = {"o'ne", "two\"; DROP ROLE x; --", "sélect", "with space", "CamelCase"})
  void strangeNamesAreQuoted(String name) {
    await(admin.createOwner(name, ScramVerifier.of(PASSWORD).stored(), name));
    assertThat(await(admin.role(name))).isPresent();
    PgConnection connection = await(login(name, PASSWORD, name));
    await(connection.close());
  }

  @Test
  void reservedNamesAndForeignVerifiersAreRefused() {
    Secret verifier = ScramVerifier.of(PASSWORD).stored();
    for (String role : List.of("pg_x", "ebb_admin", "public", "", "x".repeat(64))) {
      assertThatThrownBy(() -> await(admin.createOwner(role, verifier, "shop")))
          .isInstanceOf(EbbException.Invalid.class);
    }
    for (String database : List.of("postgres", "template1", "ebb_template", "")) {
      assertThatThrownBy(() -> await(admin.createOwner("app", verifier, database)))
          .isInstanceOf(EbbException.Invalid.class);
    }
    assertThatThrownBy(() -> await(admin.createOwner("app", new Secret("' SUPERUSER"), "shop")))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageNotContaining("SUPERUSER");
    assertThat(await(admin.role("app"))).isEmpty();
  }

  @Test
  void adminEntersByTcpOnceItHasPassword() {
    assertThatThrownBy(() -> await(login("ebb_admin", PASSWORD, "postgres")))
        .hasMessageContaining("authentication failed");
    await(admin.setAdminPassword(ScramVerifier.of(PASSWORD).stored()));
    await(await(login("ebb_admin", PASSWORD, "postgres")).close());
  }

  @Test
  void rolesAreAsSqlMadeThem() {
    server.sql(
        "postgres",
        "CREATE ROLE a LOGIN PASSWORD 'plain' CONNECTION LIMIT 3 VALID UNTIL '2030-01-01 00:00Z'",
        "CREATE ROLE b REPLICATION VALID UNTIL '-infinity'",
        "CREATE ROLE c VALID UNTIL 'infinity'");
    List<RoleState> roles = await(admin.roles());
    assertThat(roles).extracting(RoleState::name).contains("a", "b", "c", "ebb_admin");
    RoleState a = roles.stream().filter(r -> r.name().equals("a")).findFirst().orElseThrow();
    assertThat(a.connectionLimit()).isEqualTo(3);
    assertThat(a.validUntilEpochMs()).isEqualTo(1_893_456_000_000L);
    RoleState b = roles.stream().filter(r -> r.name().equals("b")).findFirst().orElseThrow();
    assertThat(b.replication()).isTrue();
    assertThat(b.verifier()).isNull();
    assertThat(b.validUntilEpochMs()).isEqualTo(Long.MIN_VALUE);
    RoleState c = roles.stream().filter(r -> r.name().equals("c")).findFirst().orElseThrow();
    assertThat(c.validUntilEpochMs()).isEqualTo(Long.MAX_VALUE);
    assertThat(a.toString()).doesNotContain("SCRAM");
  }

  /** PostgreSQL's own verifiers, so that SASLprep and all the rest agree. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "plain",
        "I\u00ADX",
        "\u00AA",
        "\u2168",
        "pass\u00A0word",
        "a\u0007b",
        "\u06271",
        "\uD83D\uDE00",
        "ｆｕｌｌ"
      })
  void verifiersAreThoseThatPostgresMakes(String password) {
    server.sql("postgres", "CREATE ROLE v LOGIN PASSWORD '" + password + "'");
    Secret stored = Objects.requireNonNull(await(admin.role("v")).orElseThrow().verifier());
    ScramVerifier theirs = ScramVerifier.parse(stored);
    assertThat(ScramVerifier.of(new Secret(password), theirs.salt(), theirs.iterations()).stored())
        .isEqualTo(stored);
  }

  @Test
  void activityCountsOthersOnly() {
    Activity none = await(admin.activity());
    assertThat(none.connections()).isZero();
    assertThat(none.idleMs()).isEqualTo(Long.MAX_VALUE);
    long commits = none.commits();
    for (int i = 0; i < 20; i++) {
      none = await(admin.activity());
    }
    assertThat(none.commits()).isEqualTo(commits);

    await(admin.createOwner("app", ScramVerifier.of(PASSWORD).stored(), "shop"));
    PgConnection user = await(login("app", PASSWORD, "shop"));
    Activity idle = await(admin.activity());
    assertThat(idle.connections()).isEqualTo(1);
    assertThat(idle.activeStatements()).isZero();
    assertThat(idle.openTransactions()).isZero();
    assertThat(idle.idleMs()).isBetween(0L, 60_000L);
    assertThat(idle.sessionsEver()).isEqualTo(none.sessionsEver() + 1);

    await(user.query("BEGIN").execute());
    Activity open = await(admin.activity());
    assertThat(open.openTransactions()).isEqualTo(1);
    assertThat(open.activeStatements()).isZero();
    assertThat(open.idleMs()).isZero();

    Future<?> running = user.query("SELECT pg_sleep(30)").execute();
    long deadline = System.nanoTime() + PostgresFixture.PATIENCE.toNanos();
    Activity active = await(admin.activity());
    while (active.activeStatements() == 0 && System.nanoTime() < deadline) {
      active = await(admin.activity());
    }
    assertThat(active.activeStatements()).isEqualTo(1);
    server.sql(
        "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
    assertThatThrownBy(() -> await(running)).isNotNull();
  }

  @Test
  void statementPastItsDeadlineFailsAndTheConnectionIsGone() throws IOException {
    // The commit waits for a standby that never comes.
    PostgresFixture.Server other =
        postgres.start(
            postgres.lay(postgres.template, postgres.template.control()),
            "synchronous_standby_names=ebb_never");
    try (other) {
      AdminConnection waiting =
          await(
              AdminConnection.connect(
                  postgres.vertx, other.sockets, other.port, PostgresFixture.PATIENCE));
      assertThatThrownBy(() -> await(waiting.forceCommit(Duration.ofMillis(200))))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("in time");
      assertThatThrownBy(() -> await(waiting.flushLsn()))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("connect again");
      await(waiting.close());
    }
  }

  @Test
  void computeThatIsNotThereIsUnavailable() {
    assertThatThrownBy(() ->
            await(
                AdminConnection.connect(
                    postgres.vertx, Path.of("/no/such"), 1, PostgresFixture.PATIENCE)))
        .isInstanceOf(EbbException.Unavailable.class);
  }

  private Future<PgConnection> login(String user, Secret password, String database) {
    return PgConnection.connect(
        postgres.vertx,
        new PgConnectOptions()
            .setHost("127.0.0.1")
            .setPort(server.port)
            .setUser(user)
            .setPassword(password.reveal())
            .setDatabase(database));
  }

  private static <T> T await(Future<T> future) {
    return PostgresFixture.await(future);
  }

  @Test
  void databasesThatAreNotOpenToEverybodyAreToldWithTheirLogins() {
    server.sql("postgres", "CREATE ROLE kept_out LOGIN PASSWORD 'x'");
    server.sql("postgres", "CREATE ROLE let_in LOGIN PASSWORD 'x'");
    server.sql("postgres", "CREATE DATABASE guarded");
    assertThat(await(admin.restricted())).isEmpty();
    assertThat(await(admin.login("let_in", "guarded")).access()).isNull();
    server.sql("postgres", "REVOKE CONNECT ON DATABASE guarded FROM public");
    server.sql("postgres", "GRANT CONNECT ON DATABASE guarded TO let_in");
    server.sql("postgres", "ALTER DATABASE guarded CONNECTION LIMIT 7");

    LoginFound in = await(admin.login("let_in", "guarded"));
    LoginFound out = await(admin.login("kept_out", "guarded"));
    assertThat(in.access()).isEqualTo(new DatabaseAccess("guarded", true, 7, List.of()));
    assertThat(out.access()).isEqualTo(new DatabaseAccess("guarded", true, 7, List.of("kept_out")));
    assertThat(await(admin.login("kept_out", "postgres")).access()).isNull();
    assertThat(await(admin.login("kept_out", "nosuch")).role()).isNotNull();
    assertThat(await(admin.login("nosuch", "guarded")).role()).isNull();
    assertThat(await(admin.restricted()))
        .singleElement()
        .satisfies(guarded -> {
          assertThat(guarded.database()).isEqualTo("guarded");
          assertThat(guarded.connectionLimit()).isEqualTo(7);
          assertThat(guarded.refused()).contains("kept_out").doesNotContain("let_in");
        });
  }
}
