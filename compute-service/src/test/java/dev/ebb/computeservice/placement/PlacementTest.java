package dev.ebb.computeservice.placement;

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
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PlacementTest {
  private final FleetView fleet = new FleetView(Clock.systemUTC());
  private final Placement placement = new Placement(fleet);

  private void announce(String host, int room, boolean leaving, ComputeStatus... computes) {
    fleet.accept(
        new HostAnnouncement(new HostId(host), "127.0.0.1", room, 10, leaving, List.of(computes)));
  }

  private static ComputeStatus compute(BranchId branch) {
    return new ComputeStatus(
        branch,
        DatabaseId.random(),
        "shop",
        "main",
        new Generation(1),
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

  @Test
  void theHostThatRunsTheBranchIsChosenEvenWithoutRoom() {
    var branch = BranchId.random();
    announce("a", 5, false);
    announce("b", 0, false, compute(branch));
    assertThat(placement.hostFor(branch)).contains(new HostId("b"));
    assertThat(placement.owner(branch)).contains(new HostId("b"));
  }

  @Test
  void hostsWithoutRoomOrLeavingAreNeverChosen() {
    announce("full", 0, false);
    announce("leaving", 5, true);
    assertThat(placement.hostFor(BranchId.random())).isEmpty();
    announce("roomy", 1, false);
    assertThat(placement.hostFor(BranchId.random())).contains(new HostId("roomy"));
  }

  @Test
  void branchesSpreadOverHostsAndTheChoiceIsStable() {
    announce("a", 5, false);
    announce("b", 5, false);
    Set<HostId> chosen = new HashSet<>();
    for (int i = 0; i < 64; i++) {
      var branch = BranchId.random();
      HostId host = placement.hostFor(branch).orElseThrow();
      assertThat(placement.hostFor(branch)).contains(host);
      chosen.add(host);
    }
    assertThat(chosen).hasSize(2);
  }
}
