package dev.ebb.computeservice.replicas;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.fleet.FleetView.PlacedReplica;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.ComputeStatus.State;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.ReplicaId;
import dev.ebb.shared.model.ReplicaStatus;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ReplicaPlanTest {
  private static final BranchId SHOP = new BranchId("shop1");
  private static final BranchId OTHER = new BranchId("other1");

  private static HostAnnouncement host(
      String id, int room, boolean leaving, ComputeStatus... computes) {
    return new HostAnnouncement(new HostId(id), "127.0.0.1", room, 10, leaving, List.of(computes));
  }

  private static ComputeStatus primary(BranchId branch) {
    return new ComputeStatus(
        branch,
        new DatabaseId("db1"),
        "shop",
        "main",
        new Generation(1),
        State.RUNNING,
        5433,
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

  private static PlacedReplica replica(
      String host, String id, State state, int connections, long uptimeMs) {
    return new PlacedReplica(
        new HostId(host),
        "127.0.0.1",
        new ReplicaStatus(
            new ReplicaId(id),
            SHOP,
            new DatabaseId("db1"),
            "shop",
            "main",
            state,
            5434,
            1,
            uptimeMs,
            connections,
            0,
            0,
            0,
            0,
            Lsn.INVALID,
            Lsn.INVALID,
            0,
            0));
  }

  private static List<String> hosts(
      int count, List<HostAnnouncement> hosts, PlacedReplica... present) {
    return ReplicaPlan.hosts(SHOP, count, hosts, List.of(present)).stream()
        .map(HostId::value)
        .toList();
  }

  @Test
  void replicasAreSpreadAndKeptAwayFromThePrimary() {
    var hosts =
        List.of(
            host("a", 9, false, primary(SHOP)),
            host("b", 2, false, primary(OTHER)),
            host("c", 3, false));

    assertThat(hosts(1, hosts)).containsExactly("c");
    assertThat(hosts(3, hosts)).containsExactly("c", "b", "a");
    assertThat(hosts(1, hosts, replica("c", "r1", State.RUNNING, 0, 0))).containsExactly("b");
  }

  @Test
  void nothingGoesWhereThereIsNoRoomOrWhoIsLeaving() {
    var hosts = List.of(host("a", 0, false), host("b", 5, true), host("c", 3, false));

    assertThat(hosts(3, hosts)).containsExactly("c", "c");
    assertThat(hosts(1, List.of())).isEmpty();
  }

  @Test
  void lastPlaceOfAHostIsLeftToPrimaries() {
    assertThat(hosts(2, List.of(host("a", 1, false)))).isEmpty();
    assertThat(hosts(5, List.of(host("a", 1, false), host("b", 3, false))))
        .containsExactly("b", "b");
  }

  @Test
  void thoseGoFirstWhoAreMissedLeast() {
    var present =
        List.of(
            replica("a", "old", State.RUNNING, 0, 9_000),
            replica("a", "busy", State.RUNNING, 3, 1_000),
            replica("a", "young", State.RUNNING, 0, 1_000),
            replica("a", "starting", State.STARTING, 0, 0));

    assertThat(ReplicaPlan.surplus(present, 3))
        .extracting(r -> r.status().replica().value())
        .containsExactly("starting", "young", "old");
    assertThat(ReplicaPlan.surplus(present, 0)).isEmpty();
  }
}
