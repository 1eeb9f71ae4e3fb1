package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Versions of the protocol, and keys for cancel requests. */
class GatewayProtocolIT {
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
  @CsvSource({"0,4", "1,4", "2,32"})
  void versionsThatThereAreAreSpokenWithoutNegotiation(int minor, int keyBytes) throws Exception {
    try (var client = RawClient.connect(gateway.port)) {
      client.startup(minor, "app", "shop");
      client.authenticate(RealPostgres.PASSWORD);
      client.readUntilReady();
      assertThat(client.secretKey).hasSize(keyBytes);
    }
  }

  @Test
  void newerVersionsAndUnknownOptionsAreNegotiatedDown() throws Exception {
    try (var client = RawClient.connect(gateway.port)) {
      client.startup(9999, "app", "shop", "_pq_.test_protocol_negotiation");
      assertThat(client.expect('v'))
          .isEqualTo("\0\3\0\2" + "\0\0\0\1" + "_pq_.test_protocol_negotiation\0");
      client.authenticate(RealPostgres.PASSWORD);
      client.readUntilReady();
      assertThat(client.secretKey).hasSize(32);
    }
    try (var client = RawClient.connect(gateway.port)) {
      client.startup(0, "app", "shop", "_pq_.other");
      assertThat(client.expect('v')).isEqualTo("\0\3\0\0" + "\0\0\0\1" + "_pq_.other\0");
    }
  }

  @Test
  void longKeyCancelsAndNothingLikeItDoes() throws Exception {
    try (var client = RawClient.connect(gateway.port)) {
      client.startup(2, "app", "shop");
      client.authenticate(RealPostgres.PASSWORD);
      client.readUntilReady();
      client.query("SELECT pg_sleep(63)");
      byte[] last = client.secretKey.clone();
      last[31]++;
      cancel(client.processId, Arrays.copyOf(client.secretKey, 4));
      cancel(client.processId, Arrays.copyOf(client.secretKey, 33));
      cancel(client.processId, last);
      assertThat(cancels("ignored")).isEqualTo(3);
      assertThat(cancels("forwarded")).isZero();
      Await.until(
          "the statement",
          () ->
              gateway.postgres.number(
                      "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(63)'"
                          + " AND wait_event = 'PgSleep'")
                  == 1);
      cancel(client.processId, client.secretKey);
      assertThat(client.readUntilReady()).contains("57014");
      assertThat(cancels("forwarded")).isEqualTo(1);
    }
  }

  private void cancel(int processId, byte[] key) throws Exception {
    try (var other = RawClient.connect(gateway.port)) {
      other.cancel(processId, key);
      assertThat(other.readToEnd()).isEmpty();
    }
  }

  private double cancels(String outcome) {
    return gateway.meters.get("ebb.gateway.cancels").tag("outcome", outcome).counter().count();
  }

  @Test
  void driverThatAsksFor32CancelsItsStatements() throws Exception {
    var properties = new Properties();
    properties.setProperty("protocolVersion", "3.2");
    try (Connection connection = gateway.jdbc(properties);
        Statement statement = connection.createStatement()) {
      var failed =
          CompletableFuture.runAsync(() ->
              assertThatThrownBy(() -> statement.execute("SELECT pg_sleep(64)"))
                  .isInstanceOf(SQLException.class)
                  .extracting(error -> ((SQLException) error).getSQLState())
                  .isEqualTo("57014"));
      Await.until(
          "the statement",
          () ->
              gateway.postgres.number(
                      "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(64)'"
                          + " AND wait_event = 'PgSleep'")
                  == 1);
      statement.cancel();
      failed.join();
    }
  }
}
