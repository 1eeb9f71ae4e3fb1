package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.ebb.gateway.limit.LimitRates;
import dev.ebb.gateway.limit.Rate;
import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.model.Cidr;
import dev.ebb.shared.model.Generation;
import io.vertx.core.Future;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who is kept out by where it comes from, and by how often it came. */
class GatewayLimitsIT {
  /** Nothing comes back while a test runs. */
  private static final Rate TWO = new Rate(2, Duration.ofDays(1));

  private static final Rate NO_LIMIT = Rate.UNLIMITED;

  @TempDir Path directory;
  private @Nullable GatewayFixture open;

  @AfterEach
  void stop() {
    if (open != null) {
      open.close();
    }
  }

  private GatewayFixture gateway(LimitRates limits) {
    var gateway =
        new GatewayFixture(directory, config -> config.with(GatewayAccess.DEFAULTS.with(limits)));
    open = gateway;
    return gateway;
  }

  private static SQLException refusal(GatewayFixture gateway, Properties properties) {
    return catchThrowableOfType(SQLException.class, () -> gateway.jdbc(properties).close());
  }

  private static double kept(GatewayFixture gateway, String limit, String by) {
    return gateway
        .meters
        .get("ebb.gateway.limited")
        .tags("limit", limit, "by", by)
        .counter()
        .count();
  }

  @Test
  void clientFromElsewhereIsKeptOutBeforeAnythingIsToldOrAsked() {
    GatewayFixture gateway = gateway(LimitRates.DEFAULTS);
    gateway.allowed.put("shop", List.of(Cidr.parse("192.0.2.0/24"), Cidr.parse("::1")));
    for (String database : List.of("shop", "shop@nosuch")) {
      var psql =
          Psql.run("wrong", gateway.psqlTarget(database, "nobody", "disable"), "-c", "SELECT 1");
      assertThat(psql.exit()).isEqualTo(2);
      assertThat(psql.output())
          .contains("connections from 127.0.0.1 to database \"shop\" are not allowed")
          .contains("ebb db allow");
    }
    assertThat(refusal(gateway, new Properties()).getSQLState()).isEqualTo("28000");
    assertThat(gateway.computes.lookups).hasValue(0);
    assertThat(gateway.computes.wakes).hasValue(0);
    assertThat(kept(gateway, "allowed_addresses", "address")).isEqualTo(3);
    gateway.allowed.put("shop", List.of(Cidr.parse("192.0.2.0/24"), Cidr.parse("127.0.0.0/8")));
    Await.until("the new list", () -> gateway.psql("SELECT 1").equals(new Psql(0, "1")));
  }

  @Test
  void connectionsBeyondTheRateAre53300() {
    GatewayFixture gateway =
        gateway(new LimitRates(TWO, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT));
    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));
    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));
    SQLException refused = refusal(gateway, new Properties());
    assertThat(refused.getSQLState()).isEqualTo("53300");
    assertThat(refused.getMessage()).contains("too many connections from 127.0.0.1");
    assertThat(gateway.computes.wakes).hasValue(2);
  }

  @Test
  void rightPasswordIsNotTriedBehindTooManyWrongOnes() {
    GatewayFixture gateway =
        gateway(new LimitRates(NO_LIMIT, NO_LIMIT, TWO, NO_LIMIT, NO_LIMIT, NO_LIMIT));
    var wrong = new Properties();
    wrong.setProperty("password", "wrong");
    assertThat(refusal(gateway, wrong).getSQLState()).isEqualTo("28P01");
    assertThat(refusal(gateway, wrong).getSQLState()).isEqualTo("28P01");
    assertThat(refusal(gateway, new Properties()).getMessage())
        .contains("too many failed logins from 127.0.0.1");
    assertThat(gateway.computes.lookups).as("asked only for those that were tried").hasValue(2);
    assertThat(kept(gateway, "failed_logins", "address")).isEqualTo(1);
  }

  @Test
  void databaseIsNotWokenBeyondItsRate() {
    GatewayFixture gateway =
        gateway(new LimitRates(NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, TWO));
    gateway.computes.onWake = n -> Future.succeededFuture(started(gateway, n));
    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));
    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));
    SQLException refused = refusal(gateway, new Properties());
    assertThat(refused.getSQLState()).isEqualTo("53300");
    assertThat(refused.getMessage()).contains("too many starts of database \"shop\"");
    assertThat(gateway.computes.wakes).hasValue(2);
    var wrong = new Properties();
    wrong.setProperty("password", "wrong");
    assertThat(refusal(gateway, wrong).getSQLState())
        .as("is told to those who may know")
        .isEqualTo("28P01");
  }

  private static ComputeReady started(GatewayFixture gateway, int generation) {
    ComputeReady ready = FakeComputes.ready(gateway.postgres.port());
    return new ComputeReady(
        ready.branch(),
        new Generation(generation),
        ready.host(),
        ready.address(),
        ready.port(),
        true,
        ready.parts());
  }

  @Test
  void addressDoesNotWakeBeyondItsRate() {
    GatewayFixture gateway =
        gateway(new LimitRates(NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, TWO, NO_LIMIT));
    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));
    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));
    assertThat(refusal(gateway, new Properties()).getMessage())
        .contains("too many starts for clients from 127.0.0.1");
    assertThat(gateway.computes.wakes).hasValue(2);
  }
}
