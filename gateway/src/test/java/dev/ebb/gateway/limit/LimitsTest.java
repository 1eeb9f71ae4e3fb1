package dev.ebb.gateway.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.WakeParts;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.net.InetAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class LimitsTest {
  private static final BranchId BRANCH = new BranchId("b");
  private static final InetAddress HERE = InetAddress.ofLiteral("192.0.2.1");
  private static final InetAddress THERE = InetAddress.ofLiteral("192.0.2.2");
  private static final Rate TWO = new Rate(2, Duration.ofMinutes(1));

  private final AtomicLong nanos = new AtomicLong();
  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  private final Limits limits =
      new Limits(
          new LimitRates(TWO, new Rate(3, Duration.ofMinutes(1)), TWO, TWO, TWO, TWO),
          Clock.systemUTC(),
          nanos::get,
          meters);

  private double kept(String limit, String by) {
    return meters.get("ebb.gateway.limited").tags("limit", limit, "by", by).counter().count();
  }

  @Test
  void connectionsOfAnAddressAndOfADatabaseAreCounted() {
    limits.connects(HERE);
    limits.connects(HERE);
    assertThatThrownBy(() -> limits.connects(HERE)).hasMessageContaining("from 192.0.2.1");
    limits.connects(THERE);
    for (int i = 0; i < 3; i++) {
      limits.connects(THERE, "shop", "app");
    }
    assertThatThrownBy(() -> limits.connects(HERE, "shop", "app")).hasMessageContaining("\"shop\"");
    limits.connects(HERE, "other", "app");
    assertThat(kept("connections", "address")).isEqualTo(1);
    assertThat(kept("connections", "database")).isEqualTo(1);
    nanos.addAndGet(Duration.ofSeconds(31).toNanos());
    limits.connects(HERE);
  }

  @Test
  void addressThatFailsTooOftenTriesNoMore() {
    limits.failed(HERE, "shop");
    limits.connects(HERE, "shop", "app");
    limits.failed(HERE, "other");
    assertThatThrownBy(() -> limits.connects(HERE, "shop", "app"))
        .isInstanceOf(LimitException.class)
        .hasMessageContaining("failed logins from 192.0.2.1");
    limits.connects(THERE, "shop", "app");
  }

  @Test
  void roleThatLoggedInFromAnAddressIsNotKeptOutByWhoFailsThere() {
    limits.succeeded(HERE, "shop", "app");
    for (int i = 0; i < 10; i++) {
      limits.failed(HERE, "shop");
    }
    limits.connects(HERE, "shop", "app");
    assertThatThrownBy(() -> limits.connects(HERE, "shop", "other"))
        .isInstanceOf(LimitException.class);
    nanos.addAndGet(Duration.ofMinutes(61).toNanos());
    limits.failed(HERE, "shop");
    limits.failed(HERE, "shop");
    assertThatThrownBy(() -> limits.connects(HERE, "shop", "app"))
        .as("long ago")
        .isInstanceOf(LimitException.class);
  }

  @Test
  void databaseThatManyFailAtIsOpenToThoseWhoDidNot() {
    limits.failed(InetAddress.ofLiteral("192.0.2.9"), "shop");
    limits.failed(HERE, "shop");
    assertThatThrownBy(() -> limits.connects(HERE, "shop", "app"))
        .hasMessageContaining("failed logins to database \"shop\"");
    limits.connects(THERE, "shop", "app");
  }

  @Test
  void nobodyKeepsOthersFromTheConsole() {
    for (int i = 0; i < 5; i++) {
      limits.connectsToConsole(THERE, "(console)", "ebb_admin");
    }
    for (int i = 0; i < 5; i++) {
      limits.failedAtConsole(HERE);
    }
    assertThatThrownBy(() -> limits.connectsToConsole(HERE, "(console)", "ebb_admin"))
        .hasMessageContaining("failed logins from 192.0.2.1");
    limits.failedAtConsole(THERE);
    limits.connectsToConsole(THERE, "(console)", "ebb_admin");
  }

  @Test
  void networkOfIpv6IsOneAddress() {
    limits.connects(InetAddress.ofLiteral("2001:db8::1"));
    limits.connects(InetAddress.ofLiteral("2001:db8::2"));
    assertThatThrownBy(() -> limits.connects(InetAddress.ofLiteral("2001:db8::3")))
        .isInstanceOf(LimitException.class);
    limits.connects(InetAddress.ofLiteral("2001:db8:0:1::1"));
  }

  private static ComputeReady started(long generation) {
    return new ComputeReady(
        BRANCH,
        new Generation(generation),
        new HostId("h"),
        "127.0.0.1",
        1,
        true,
        new WakeParts(0, 0, 0, 0, 0, 0));
  }

  @Test
  void startsAreCountedOnceEachAndRunningComputesAreConnectedTo() {
    for (int i = 0; i < 10; i++) {
      limits.woken("shop", started(1));
      limits.wakes("shop", BRANCH);
    }
    limits.woken("shop", started(2));
    assertThatThrownBy(() -> limits.wakes("shop", BRANCH))
        .hasMessageContaining("too many starts of database \"shop\"");
    limits.heard(announcing(ComputeStatus.State.SUSPENDING));
    assertThatThrownBy(() -> limits.wakes("shop", BRANCH)).isInstanceOf(LimitException.class);
    limits.heard(announcing(ComputeStatus.State.RUNNING));
    assertThatCode(() -> limits.wakes("shop", BRANCH)).doesNotThrowAnyException();
    assertThat(kept("wakes", "database")).isEqualTo(2);
  }

  @Test
  void addressThatStartsTooMuchStartsNothingMore() {
    limits.woken(HERE);
    limits.wakes(HERE, BRANCH);
    limits.woken(HERE);
    assertThatThrownBy(() -> limits.wakes(HERE, BRANCH))
        .hasMessageContaining("for clients from 192.0.2.1");
    limits.wakes(THERE, BRANCH);
    limits.heard(announcing(ComputeStatus.State.RUNNING));
    limits.wakes(HERE, BRANCH);
  }

  private static HostAnnouncement announcing(ComputeStatus.State state) {
    return new HostAnnouncement(
        new HostId("h"),
        "127.0.0.1",
        1,
        1,
        false,
        List.of(
            new ComputeStatus(
                BRANCH,
                new DatabaseId("d"),
                "shop",
                "main",
                new Generation(1),
                state,
                1,
                1,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                new Lsn(0),
                new Lsn(0))));
  }
}
