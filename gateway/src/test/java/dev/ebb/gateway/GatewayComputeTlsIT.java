package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS between the gateway and a real PostgreSQL. */
class GatewayComputeTlsIT {
  private static final Certificates AUTHORITY = Certificates.authority("computes");

  @TempDir Path directory;
  private @Nullable GatewayFixture open;

  @AfterEach
  void stop() {
    RealPostgres.shared().offerTls(null);
    if (open != null) {
      open.close();
    }
  }

  private GatewayFixture trusting(Certificates authority) {
    Path file = authority.writeCertificate(directory.resolve("computes.crt"));
    var gateway =
        new GatewayFixture(
            directory,
            config ->
                config
                    .withTimeouts(10_000, 3_000)
                    .with(GatewayAccess.DEFAULTS.withComputeCa(file)));
    open = gateway;
    return gateway;
  }

  @Test
  void computeIsSpokenToOverTlsAndItsStatementsAreCancelledOverIt() throws Exception {
    RealPostgres.shared().offerTls(AUTHORITY.issue("CN=compute"));
    GatewayFixture gateway = trusting(AUTHORITY);
    String encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assertThat(gateway.psql(encrypted)).isEqualTo(new Psql(0, "t"));
    var over =
        Psql.run(
            RealPostgres.PASSWORD, gateway.psqlTarget("shop", "app", "require"), "-c", encrypted);
    assertThat(over).isEqualTo(new Psql(0, "t"));
    try (var client = RawClient.login(gateway.port, "app", RealPostgres.PASSWORD, "shop")) {
      client.query("SELECT pg_sleep(65)");
      Await.until(
          "the statement",
          () ->
              gateway.postgres.number(
                      "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(65)'"
                          + " AND wait_event = 'PgSleep'")
                  == 1);
      try (var other = RawClient.connect(gateway.port)) {
        other.cancel(client.processId, client.secretKey);
        assertThat(other.readToEnd()).isEmpty();
      }
      assertThat(client.readUntilReady()).contains("57014");
    }
    assertThat(gateway.psql("SELECT sum(length(repeat('x', i))) FROM generate_series(1, 3) i"))
        .isEqualTo(new Psql(0, "6"));
  }

  @Test
  void computeOfAnotherAuthorityOrWithoutTlsIsNotSpokenTo() {
    GatewayFixture gateway = trusting(AUTHORITY);
    RealPostgres.shared().offerTls(Certificates.authority("others").issue("CN=compute"));
    assertThat(gateway.psql("SELECT 1").output())
        .contains("cannot connect to the compute of \"shop@main\"");
    RealPostgres.shared().offerTls(null);
    assertThat(gateway.psql("SELECT 1").output())
        .contains("cannot connect to the compute of \"shop@main\"");
  }
}
