package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GatewayLoginIT {
  @TempDir Path directory;
  private GatewayFixture gateway;

  @BeforeEach
  void start() {
    gateway = new GatewayFixture(directory);
  }

  @AfterEach
  void stop() {
    gateway.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"disable", "prefer", "require"})
  void psqlConnectsInEverySslMode(String mode) {
    var psql =
        Psql.run(
            RealPostgres.PASSWORD,
            gateway.psqlTarget("shop", "app", mode),
            "-c",
            "SELECT current_user, current_database()");
    assertThat(psql).isEqualTo(new Psql(0, "app|shop"));
  }

  @Test
  void requireShowsAnEncryptedConnection() {
    var psql =
        Psql.run(
            RealPostgres.PASSWORD,
            gateway.psqlTarget("shop", "app", "require"),
            "-c",
            "\\conninfo");
    assertThat(psql.output()).contains("SSL connection", "TLSv1.3");
  }

  @Test
  void certificateIsKeptAndItsKeyIsPrivate() throws Exception {
    Path key = directory.resolve("server.key");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(key)))
        .isEqualTo("rw-------");
    byte[] certificate = Files.readAllBytes(directory.resolve("server.crt"));
    gateway.close();
    gateway = new GatewayFixture(directory);
    assertThat(Files.readAllBytes(directory.resolve("server.crt"))).isEqualTo(certificate);
    var psql =
        Psql.run(
            RealPostgres.PASSWORD,
            "host=localhost hostaddr=127.0.0.1 port=%d dbname=shop user=app sslmode=verify-full sslrootcert=%s"
                .formatted(gateway.port, directory.resolve("server.crt")),
            "-c",
            "SELECT 1");
    assertThat(psql).isEqualTo(new Psql(0, "1"));
  }

  @Test
  void branchIsNamedBehindTheDatabase() {
    var psql =
        Psql.run(
            RealPostgres.PASSWORD,
            "postgres://app@127.0.0.1:%d/shop%%40dev".formatted(gateway.port),
            "-c",
            "SELECT current_database()");
    assertThat(psql).isEqualTo(new Psql(0, "shop"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"nosuch", "shop@nosuch", "Nö Such", "app"})
  void unknownDatabaseIs3D000(String database) {
    var psql =
        Psql.run(
            RealPostgres.PASSWORD,
            gateway.psqlTarget("'" + database + "'", "app", "disable"),
            "-c",
            "SELECT 1");
    assertThat(psql.exit()).isEqualTo(2);
    assertThat(psql.output()).contains("database \"" + database + "\" does not exist");
  }

  @Test
  void wrongPasswordUnknownRoleAndNologinRoleLookTheSame() {
    gateway.postgres.sql("DROP ROLE IF EXISTS nologin_role");
    gateway.postgres.sql("CREATE ROLE nologin_role PASSWORD 's3cret'");
    for (var role : List.of("app", "nosuch", "nologin_role", "ebb_admin", "pg_monitor")) {
      var properties = new Properties();
      properties.setProperty("user", role);
      boolean exists = role.equals("app") || role.equals("nologin_role");
      properties.setProperty("password", exists ? "wrong" : RealPostgres.PASSWORD);
      assertThatThrownBy(() -> gateway.jdbc(properties))
          .isInstanceOf(SQLException.class)
          .hasMessageContaining("password authentication failed for user \"" + role + "\"")
          .extracting(error -> ((SQLException) error).getSQLState())
          .isEqualTo("28P01");
    }
    assertThat(gateway.computes.wakes).hasValue(0);
    assertThat(gateway.meters.get("ebb.gateway.logins").tag("outcome", "failed").counter().count())
        .isEqualTo(5);
  }

  @Test
  void expiredRoleIsRefused() {
    gateway.postgres.sql("DROP ROLE IF EXISTS expired");
    gateway.postgres.sql("CREATE ROLE expired LOGIN PASSWORD 's3cret' VALID UNTIL '2001-01-01'");
    var psql =
        Psql.run("s3cret", gateway.psqlTarget("shop", "expired", "disable"), "-c", "SELECT 1");
    assertThat(psql.output()).contains("password authentication failed for user \"expired\"");
  }

  @Test
  void passwordChangedBySqlCountsAtTheNextLogin() {
    gateway.postgres.sql("DROP ROLE IF EXISTS changing");
    gateway.postgres.sql("CREATE ROLE changing LOGIN PASSWORD 'old'");
    var target = gateway.psqlTarget("shop", "changing", "disable");
    assertThat(Psql.run("old", target, "-c", "ALTER ROLE changing PASSWORD 'new'").exit())
        .isEqualTo(0);
    assertThat(Psql.run("old", target, "-c", "SELECT 1").exit()).isEqualTo(2);
    assertThat(Psql.run("new", target, "-c", "SELECT 1")).isEqualTo(new Psql(0, "1"));
  }

  @Test
  void roleWithNonAsciiPasswordAndNameLogsIn() throws Exception {
    gateway.postgres.sql("DROP ROLE IF EXISTS \"Jürgen\"");
    gateway.postgres.sql("CREATE ROLE \"Jürgen\" LOGIN PASSWORD 'pässwörd ½'");
    var properties = new Properties();
    properties.setProperty("user", "Jürgen");
    properties.setProperty("password", "pässwörd ½");
    try (Connection connection = gateway.jdbc(properties)) {
      assertThat(connection.isValid(5)).isTrue();
    }
  }

  @Test
  void startupParametersReachTheBackend() {
    var psql =
        Psql.run(
            RealPostgres.PASSWORD,
            gateway.psqlTarget("shop", "app", "disable")
                + " application_name=till options='-c work_mem=7MB'",
            "-c",
            "SELECT current_setting('application_name'), current_setting('work_mem')");
    assertThat(psql).isEqualTo(new Psql(0, "till|7MB"));
  }

  @Test
  void replicationIsRefusedClearly() {
    var psql =
        Psql.run(
            RealPostgres.PASSWORD,
            gateway.psqlTarget("shop", "app", "disable") + " replication=database",
            "-c",
            "IDENTIFY_SYSTEM");
    assertThat(psql.output()).contains("replication connections are not supported yet");
  }

  @Test
  void tlsCanBeRequired() {
    gateway.close();
    gateway =
        new GatewayFixture(
            directory,
            c ->
                new GatewayConfig(
                    c.host(), 0, c.tlsDirectory(), null, null, true, 5000, 5000, 10, 10, 1));
    assertThat(gateway.psql("SELECT 1").output()).contains("this server requires TLS");
    var encrypted =
        Psql.run(
            RealPostgres.PASSWORD, gateway.psqlTarget("shop", "app", "require"), "-c", "SELECT 1");
    assertThat(encrypted).isEqualTo(new Psql(0, "1"));
  }

  @Test
  void portInUseIsNamedWithItsFlag() {
    assertThatThrownBy(() ->
            new GatewayFixture(
                directory,
                c ->
                    new GatewayConfig(
                        c.host(),
                        gateway.port,
                        c.tlsDirectory(),
                        null,
                        null,
                        false,
                        5000,
                        5000,
                        10,
                        10,
                        1)))
        .hasMessageContaining("127.0.0.1:" + gateway.port)
        .hasMessageContaining("--port");
  }

  @Test
  void rolesAreReadAfterAWakeWhereOnlyThatTells() {
    gateway.computes.rolesNeedWake = true;
    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));
    assertThat(gateway.computes.wakes).hasValue(2);
  }
}
