package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** Who may not log in is told as PostgreSQL would tell it, and wakes nothing. */
class GatewayRightsIT {
  @TempDir Path directory;
  private GatewayFixture gateway;

  @BeforeEach
  void start() {
    gateway = new GatewayFixture(directory);
    gateway.postgres.sql("DROP DATABASE IF EXISTS guarded WITH (FORCE)");
    gateway.postgres.sql("DROP ROLE IF EXISTS guest");
    gateway.postgres.sql("CREATE ROLE guest LOGIN PASSWORD 's3cret'");
    gateway.postgres.sql("CREATE DATABASE guarded");
    gateway.branches.put("guarded@main", FakeComputes.SHOP);
  }

  @AfterEach
  void stop() {
    gateway.close();
  }

  private ServerErrorMessage refusal(int port, String password) {
    var error =
        catchThrowableOfType(
            PSQLException.class,
            () ->
                DriverManager.getConnection(
                    "jdbc:postgresql://127.0.0.1:" + port + "/guarded?sslmode=disable",
                    "guest",
                    password));
    return Objects.requireNonNull(error.getServerErrorMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "ALTER ROLE guest NOLOGIN|28000",
        "ALTER ROLE guest VALID UNTIL '2001-01-01'|28P01",
        "ALTER ROLE guest CONNECTION LIMIT 0|53300",
        "ALTER DATABASE guarded CONNECTION LIMIT 0|53300",
        "ALTER DATABASE guarded ALLOW_CONNECTIONS false|55000",
        "REVOKE CONNECT ON DATABASE guarded FROM public|42501"
      })
  void rightsAreToldInPostgresqlsWordsWithoutAWake(String statement, String sqlState) {
    gateway.postgres.sql(statement);
    ServerErrorMessage here = refusal(gateway.port, RealPostgres.PASSWORD);
    ServerErrorMessage there = refusal(gateway.postgres.port(), RealPostgres.PASSWORD);
    assertThat(here.getSQLState()).isEqualTo(sqlState).isEqualTo(there.getSQLState());
    assertThat(here.getSeverity()).isEqualTo(there.getSeverity());
    assertThat(here.getMessage()).isEqualTo(there.getMessage());
    assertThat(here.getDetail()).isEqualTo(there.getDetail());
    assertThat(gateway.computes.wakes).hasValue(0);
  }

  @Test
  void wrongPasswordIsToldBeforeAnyRight() {
    gateway.postgres.sql("ALTER ROLE guest NOLOGIN CONNECTION LIMIT 0");
    gateway.postgres.sql("REVOKE CONNECT ON DATABASE guarded FROM public");
    assertThat(refusal(gateway.port, "wrong").getSQLState()).isEqualTo("28P01");
    assertThat(gateway.computes.wakes).hasValue(0);
  }

  @Test
  void limitThatOnlyTheComputeCanJudgeIsJudgedThere() throws SQLException {
    gateway.postgres.sql("ALTER ROLE guest CONNECTION LIMIT 1");
    try (var first =
        DriverManager.getConnection(
            "jdbc:postgresql://127.0.0.1:" + gateway.port + "/guarded?sslmode=disable",
            "guest",
            RealPostgres.PASSWORD)) {
      assertThat(first.isValid(10)).isTrue();
      ServerErrorMessage second = refusal(gateway.port, RealPostgres.PASSWORD);
      assertThat(second.getSQLState()).isEqualTo("53300");
      assertThat(second.getMessage()).isEqualTo("too many connections for role \"guest\"");
    }
  }

  @Test
  void rightThatIsGrantedLetsIn() throws SQLException {
    gateway.postgres.sql("REVOKE CONNECT ON DATABASE guarded FROM public");
    gateway.postgres.sql("GRANT CONNECT ON DATABASE guarded TO guest");
    gateway.postgres.sql("ALTER DATABASE guarded CONNECTION LIMIT 5");
    try (var connection =
        DriverManager.getConnection(
            "jdbc:postgresql://127.0.0.1:" + gateway.port + "/guarded?sslmode=disable",
            "guest",
            RealPostgres.PASSWORD)) {
      assertThat(connection.isValid(10)).isTrue();
    }
  }
}
