package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.bus.ComputeMessage.ConnectBranch;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GatewayWakeIT {
  @TempDir Path directory;
  private GatewayFixture gateway;

  @BeforeEach
  void start() {
    gateway = new GatewayFixture(directory, c -> c.withTimeouts(10_000, 3_000));
  }

  @AfterEach
  void stop() {
    gateway.close();
  }

  private SQLException refusal() {
    return catchThrowableOfType(SQLException.class, () -> gateway.jdbc());
  }

  @Test
  void failedWakeIs57P03WithTheReason() {
    gateway.computes.onWake =
        n ->
            Future.failedFuture(
                new EbbException.Unavailable("/var/cache/x: No space left on device"));
    assertThat(refusal().getSQLState()).isEqualTo("57P03");
    assertThat(refusal().getMessage()).contains("disk is full").doesNotContain("/var");
    assertThat(gateway.psql("SELECT 1").output())
        .contains("cannot wake \"shop@main\": the server's disk is full");
  }

  @Test
  void corruptManifestIs57P03WithTheReason() {
    gateway.computes.onWake =
        n -> Future.failedFuture(new EbbException.Corrupt("branches/b1/manifests/m1: damaged"));
    assertThat(refusal().getSQLState()).isEqualTo("57P03");
    assertThat(refusal().getMessage()).contains("branches/b1/manifests/m1");
    assertThat(gateway.computes.wakes).hasValue(2);
  }

  @Test
  void noRoomIs53300() {
    gateway.computes.onWake =
        n -> Future.failedFuture(new EbbException.Exhausted("no host has room"));
    assertThat(refusal().getSQLState()).isEqualTo("53300");
  }

  @Test
  void wakeThatNeverAnswersIs57P03AfterTheDeadline() {
    gateway.computes.onWake = n -> Promise.<ComputeReady>promise().future();
    assertThat(refusal().getSQLState()).isEqualTo("57P03");
  }

  @Test
  void computeThatWentAgainIsWokenAgain() throws Exception {
    int closed = RealPostgres.freePort();
    gateway.computes.onWake =
        n ->
            n <= 3
                ? Future.succeededFuture(FakeComputes.ready(closed))
                : Future.succeededFuture(FakeComputes.ready(gateway.postgres.port()));
    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));
    assertThat(gateway.computes.wakes).hasValue(4);
  }

  @Test
  void suspendInTheWayIsWaitedOut() {
    gateway.computes.onWake =
        n ->
            n == 1
                ? Future.failedFuture(new EbbException.Conflict("a suspend is going on"))
                : Future.succeededFuture(FakeComputes.ready(gateway.postgres.port()));
    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));
  }

  @Test
  void nameThatMeansAnotherBranchByNowIsFollowedThere() throws Exception {
    assertThat(gateway.psql("SELECT 1")).as("remembers the route").isEqualTo(new Psql(0, "1"));
    var other = new BranchId("restored");
    gateway.branches.put("shop@main", other);
    gateway.computes.onWake =
        n ->
            gateway.computes.connects.getLast().branch().equals(other)
                ? Future.succeededFuture(FakeComputes.ready(gateway.postgres.port()))
                : Future.failedFuture(new EbbException.NotFound("shop@main is another branch"));

    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));

    assertThat(gateway.computes.connects.getLast())
        .isEqualTo(new ConnectBranch(other, new BranchAddress("shop", "main")));
  }

  @Test
  void branchThatIsGoneIsRefused() {
    gateway.computes.onWake = n -> Future.failedFuture(new EbbException.NotFound("was dropped"));

    assertThat(refusal().getSQLState()).isEqualTo("3D000");
    assertThat(gateway.computes.wakes).hasValue(1);
  }

  @Test
  void computeThatCannotBeReachedIs57P03AfterTheDeadline() throws Exception {
    int closed = RealPostgres.freePort();
    gateway.computes.onWake = n -> Future.succeededFuture(FakeComputes.ready(closed));
    SQLException refused = refusal();
    assertThat(refused.getSQLState()).isEqualTo("57P03");
    assertThat(refused.getMessage()).contains("cannot connect to the compute");
  }

  @Test
  void clientThatLeavesWhileItWaitsLeavesNothingBehind() throws Exception {
    Promise<ComputeReady> wake = Promise.promise();
    gateway.computes.onWake = n -> wake.future();
    try (var client = RawClient.connect(gateway.port)) {
      client.startup("app", "shop");
      client.authenticate(RealPostgres.PASSWORD);
      Await.until("the wake", () -> gateway.computes.wakes.get() == 1);
    }
    Await.until("the session to end", () -> gateway.gauge("ebb.gateway.connections") == 0);
    wake.complete(FakeComputes.ready(gateway.postgres.port()));
    assertThat(gateway.psql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"))
        .isEqualTo(new Psql(0, "1"));
  }

  @Test
  void clientsWaitThroughASlowWake() {
    Promise<ComputeReady> wake = Promise.promise();
    gateway.computes.onWake = n -> wake.future();
    var psql = CompletableFuture.supplyAsync(() -> gateway.psql("SELECT 1"));
    Await.until("the wake", () -> gateway.computes.wakes.get() == 1);
    assertThat(psql).isNotDone();
    wake.complete(FakeComputes.ready(gateway.postgres.port()));
    assertThat(psql.join()).isEqualTo(new Psql(0, "1"));
    assertThat(
            gateway
                .meters
                .get("ebb.gateway.connect")
                .tags("part", "wake", "started", "true")
                .timer()
                .count())
        .isEqualTo(1);
  }

  @Test
  void statementSentAheadOfReadinessIsDone() throws Exception {
    Promise<ComputeReady> wake = Promise.promise();
    gateway.computes.onWake = n -> wake.future();
    try (var client = RawClient.connect(gateway.port)) {
      client.startup("app", "shop");
      client.authenticate(RealPostgres.PASSWORD);
      client.query("SELECT 'early'");
      Await.until("the wake", () -> gateway.computes.wakes.get() == 1);
      wake.complete(FakeComputes.ready(gateway.postgres.port()));
      assertThat(client.readUntilReady()).contains("server_version");
      assertThat(client.readUntilReady()).contains("early");
    }
  }

  @Test
  void backendsOwnRefusalReachesTheClient() {
    gateway.computes.onWake =
        n -> {
          gateway.postgres.sql("ALTER ROLE app CONNECTION LIMIT 0");
          return Future.succeededFuture(FakeComputes.ready(gateway.postgres.port()));
        };
    try {
      assertThat(refusal().getSQLState()).isEqualTo("53300");
      assertThat(gateway.computes.wakes).as("only the compute knew").hasValue(1);
      assertThat(refusal().getMessage()).contains("too many connections for role \"app\"");
      assertThat(gateway.computes.wakes).as("known without it by now").hasValue(1);
    } finally {
      gateway.postgres.sql("ALTER ROLE app CONNECTION LIMIT -1");
    }
  }

  @Test
  void passwordChangedBetweenProofAndBackendIs28P01() {
    gateway.computes.onWake =
        n -> {
          gateway.postgres.sql("ALTER ROLE app PASSWORD 'changed'");
          return Future.succeededFuture(FakeComputes.ready(gateway.postgres.port()));
        };
    try {
      assertThat(refusal().getSQLState()).isEqualTo("28P01");
    } finally {
      gateway.postgres.sql("ALTER ROLE app PASSWORD '" + RealPostgres.PASSWORD + "'");
    }
  }
}
