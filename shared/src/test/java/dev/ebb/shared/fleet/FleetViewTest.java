package dev.ebb.shared.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import org.junit.jupiter.api.Test;

class FleetViewTest {
  private static final BranchId SHOP = new BranchId("shopmain");

  private final SettableClock clock = new SettableClock();
  private final FleetView fleet = new FleetView(clock);

  @Test
  void hostThatStaysSilentExpires() {
    fleet.accept(host("a", false, compute(1)));
    clock.advance(FleetView.EXPIRY);
    assertThat(fleet.hosts()).hasSize(1);
    clock.advance(Duration.ofMillis(1));
    assertThat(fleet.hosts()).isEmpty();
    assertThat(fleet.compute(SHOP)).isEmpty();
  }

  @Test
  void laterAnnouncementReplacesTheEarlier() {
    fleet.accept(host("a", false, compute(1)));
    fleet.accept(host("a", true));
    assertThat(fleet.computes()).isEmpty();
    assertThat(fleet.hosts()).singleElement().matches(HostAnnouncement::leaving);
  }

  @Test
  void newestGenerationOfABranchWins() {
    fleet.accept(host("b", false, compute(7)));
    fleet.accept(host("a", false, compute(8)));
    assertThat(fleet.computes()).hasSize(2);
    assertThat(fleet.compute(SHOP).orElseThrow().host()).isEqualTo(new HostId("a"));
  }

  private static HostAnnouncement host(String id, boolean leaving, ComputeStatus... computes) {
    return new HostAnnouncement(new HostId(id), "127.0.0.1", 3, 4, leaving, List.of(computes));
  }

  private static ComputeStatus compute(long generation) {
    return new ComputeStatus(
        SHOP,
        new DatabaseId("shop"),
        "shop",
        "main",
        new Generation(generation),
        ComputeStatus.State.RUNNING,
        5432,
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
        Lsn.INVALID,
        Lsn.INVALID);
  }

  private static final class SettableClock extends Clock {
    private Instant now = Instant.EPOCH;

    void advance(Duration by) {
      now = now.plus(by);
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }

    @Override
    public Instant instant() {
      return now;
    }
  }
}
