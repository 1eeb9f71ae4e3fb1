package dev.ebb.walservice.receive;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import org.junit.jupiter.api.Test;

final class SightingTest {
  private static final BranchId BRANCH = new BranchId("b1");

  private final FleetView fleet = new FleetView(Clock.fixed(Instant.EPOCH, ZoneOffset.UTC));

  private void announce(String host, BranchId branch, long generation, ComputeStatus.State state) {
    var status =
        new ComputeStatus(
            branch,
            new DatabaseId("d1"),
            "shop",
            "main",
            new Generation(generation),
            state,
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
    fleet.accept(new HostAnnouncement(new HostId(host), "127.0.0.1", 1, 1, false, List.of(status)));
  }

  private Sighting of(long generation) {
    return Sighting.of(fleet, BRANCH, new Generation(generation));
  }

  @Test
  void nobodyAnnouncesIt() {
    assertThat(of(3)).isEqualTo(Sighting.ABSENT);
    announce("h1", new BranchId("other"), 3, ComputeStatus.State.RUNNING);
    assertThat(of(3)).isEqualTo(Sighting.ABSENT);
  }

  @Test
  void itsHostAnnouncesIt() {
    announce("h1", BRANCH, 3, ComputeStatus.State.RUNNING);
    assertThat(of(3)).isEqualTo(Sighting.ANNOUNCED);
  }

  @Test
  void laterGenerationReplacedItWhereverBothAreAnnounced() {
    announce("h1", BRANCH, 3, ComputeStatus.State.RUNNING);
    announce("h2", BRANCH, 4, ComputeStatus.State.STARTING);
    assertThat(of(3)).isEqualTo(Sighting.REPLACED);
    assertThat(of(4)).isEqualTo(Sighting.ANNOUNCED);
    assertThat(of(5)).isEqualTo(Sighting.ABSENT);
  }

  @Test
  void failedOneIsAbsent() {
    announce("h1", BRANCH, 3, ComputeStatus.State.FAILED);
    assertThat(of(3)).isEqualTo(Sighting.ABSENT);
  }
}
