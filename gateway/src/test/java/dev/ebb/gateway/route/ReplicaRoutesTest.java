package dev.ebb.gateway.route;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.ComputeMessage.ReplicaAnnouncement;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus.State;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.ReplicaId;
import dev.ebb.shared.model.ReplicaStatus;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ReplicaRoutesTest {
  private static final BranchId SHOP = new BranchId("shop1");

  private Instant now = Instant.EPOCH;

  private final ReplicaRoutes routes =
      new ReplicaRoutes(
          new Clock() {
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
          });

  private static ReplicaStatus replica(int port, State state, int connections) {
    return new ReplicaStatus(
        new ReplicaId("r" + port),
        SHOP,
        new DatabaseId("db1"),
        "shop",
        "main",
        state,
        port,
        1,
        0,
        connections,
        0,
        0,
        0,
        0,
        Lsn.INVALID,
        Lsn.INVALID,
        0,
        0);
  }

  private void hear(ReplicaStatus... replicas) {
    routes.heard(new ReplicaAnnouncement(new HostId("h1"), "127.0.0.1", List.of(replicas)));
  }

  private List<Integer> next(int sessions) {
    var ports = new ArrayList<Integer>();
    for (int i = 0; i < sessions; i++) {
      ports.add(routes.next(SHOP).orElseThrow().port());
    }
    return ports;
  }

  @Test
  void sessionsAreDealtOutEvenly() {
    hear(replica(1, State.RUNNING, 0), replica(2, State.RUNNING, 0), replica(3, State.STARTING, 0));

    assertThat(next(6)).containsExactly(1, 2, 1, 2, 1, 2);
  }

  @Test
  void whoEndedLeavesRoom() {
    hear(replica(1, State.RUNNING, 0), replica(2, State.RUNNING, 0));
    ReplicaRoutes.Place first = routes.next(SHOP).orElseThrow();
    next(1);

    first.close();
    first.close();
    assertThat(next(2)).containsExactly(1, 1);
  }

  /** One that hangs has the fewest sessions, and all would meet it. */
  @Test
  void sessionsGoElsewhereForAWhileWhereNoneCouldBeOpened() {
    hear(replica(1, State.RUNNING, 0), replica(2, State.RUNNING, 5));
    try (ReplicaRoutes.Place hanging = routes.next(SHOP).orElseThrow()) {
      hanging.failed();
    }

    assertThat(next(2)).containsExactly(2, 2);
    hear(replica(1, State.RUNNING, 0));
    assertThat(next(1)).as("where there is no other").containsExactly(1);
    now = now.plus(Duration.ofSeconds(11));
    hear(replica(1, State.RUNNING, 0), replica(2, State.RUNNING, 5));
    assertThat(next(1)).containsExactly(1);
  }

  @Test
  void sessionsOfOtherGatewaysCountWhereOnesOwnAreEqual() {
    hear(replica(1, State.RUNNING, 7), replica(2, State.RUNNING, 3));

    assertThat(next(2)).containsExactly(2, 1);
  }

  @Test
  void replicaThatWasThereAMomentAgoIsExpectedBack() {
    assertThat(routes.isExpected(SHOP)).isFalse();
    hear(replica(1, State.RUNNING, 0));
    hear();

    assertThat(routes.next(SHOP)).isEmpty();
    assertThat(routes.isExpected(SHOP)).isTrue();
    now = now.plus(Duration.ofMinutes(1));
    hear();
    assertThat(routes.isExpected(SHOP)).isFalse();
  }
}
