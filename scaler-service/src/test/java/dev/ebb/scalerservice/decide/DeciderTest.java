package dev.ebb.scalerservice.decide;

import static dev.ebb.scalerservice.decide.Computes.IDLE_MS;
import static dev.ebb.scalerservice.decide.Computes.idle;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.ScalerMessage.Action;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus.State;
import dev.ebb.shared.model.HostId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

final class DeciderTest {
  private static final long NOW_MS = 50_000_000;
  private static final SuspendPolicy FIVE_MINUTES = SuspendPolicy.of(300_000);
  private static final HostId HOST = new HostId("h1");

  static Stream<Arguments> table() {
    return Stream.of(
        row("idle for longer than the timeout", idle("b"), true),
        row("idle for exactly the timeout", idle("b").idleFor(300_000), true),
        row("idle for a millisecond less", idle("b").idleFor(299_999), false),
        row("idle sessions do not keep it awake", idle("b").connections(20), true),
        row("in use", idle("b").idleFor(0), false),
        row("a statement runs though idleMs says otherwise", idle("b").activity(1, 0, 0), false),
        row(
            "a transaction is open though idleMs says otherwise",
            idle("b").activity(0, 1, 0),
            false),
        row("a replication connection", idle("b").activity(0, 0, 1), false),
        row("idle for longer than it is up", idle("b").up(1_000), false),
        row("starting", idle("b").state(State.STARTING), false),
        row("suspending already", idle("b").state(State.SUSPENDING), false),
        row("failed", idle("b").state(State.FAILED), false));
  }

  private static Arguments row(String name, Computes compute, boolean suspended) {
    return Arguments.of(name, compute, suspended);
  }

  @ParameterizedTest(name = "{0}: {2}")
  @MethodSource("table")
  void suspendsOnlyAnUnusedRunningCompute(String name, Computes compute, boolean suspended) {
    assertThat(decide(FIVE_MINUTES, view(seen(compute)))).hasSize(suspended ? 1 : 0);
  }

  @Test
  void decisionTellsReasonFiguresAndWhatToCheckAgain() {
    Decision decision = decide(FIVE_MINUTES, view(seen(idle("b").connections(2)))).getFirst();

    assertThat(decision)
        .isEqualTo(
            new Decision(
                new BranchId("b"),
                Action.SUSPEND,
                300_000,
                "db-b@main was not used for 600.0 s; its idle timeout is 300.0 s",
                "idle 600000 ms, up 1200000 ms, 2 connections, 0 statements, 0 transactions,"
                    + " 0 replication connections, generation 1, host h1"));
  }

  @Test
  void timeoutOfZeroIsNever() {
    assertThat(decide(SuspendPolicy.of(0), view(seen(idle("b"))))).isEmpty();
  }

  @Test
  void timeoutOfTheBranchOutranksTheDefault() {
    var policy =
        new SuspendPolicy(300_000, Map.of("db-never@main", 0L, "db-patient@main", 2 * IDLE_MS));
    View view =
        view(
            seen(idle("never")),
            seen(idle("patient")),
            seen(idle("other")),
            seen(idle("neverbefore")));

    assertThat(branches(decide(policy, view))).containsExactlyInAnyOrder("other", "neverbefore");
  }

  @Test
  void computeWithoutANameYetIsLeftAloneWhereItMayHaveATimeoutOfItsOwn() {
    View view = view(seen(idle("b").named("")));

    assertThat(decide(new SuspendPolicy(300_000, Map.of("shop@main", 0L)), view)).isEmpty();
    assertThat(decide(FIVE_MINUTES, view)).hasSize(1);
  }

  @Test
  void sampleOfADeadHostDecidesNothing() {
    long tooOldMs = NOW_MS - FleetWindow.HOST_EXPIRY_MS;

    assertThat(
            decide(
                FIVE_MINUTES,
                view(
                    new Sighting(HOST, false, idle("dead").status(), tooOldMs),
                    new Sighting(HOST, false, idle("alive").status(), tooOldMs + 1))))
        .extracting(decision -> decision.branch().value())
        .containsExactly("alive");
  }

  @Test
  void hostThatLeavesSuspendsByItself() {
    assertThat(decide(FIVE_MINUTES, view(new Sighting(HOST, true, idle("b").status(), NOW_MS))))
        .isEmpty();
  }

  @Test
  void branchThatIsHeldIsLeftAloneUntilThen() {
    var branch = new BranchId("b");
    List<Sighting> computes = List.of(seen(idle("b")));

    assertThat(decide(FIVE_MINUTES, new View(computes, Map.of(branch, NOW_MS + 1), 0))).isEmpty();
    assertThat(decide(FIVE_MINUTES, new View(computes, Map.of(branch, NOW_MS), 0))).hasSize(1);
  }

  @Test
  void branchOnTwoHostsIsJudgedByItsNewestGeneration() {
    Sighting old = new Sighting(new HostId("h1"), false, idle("b").status(), NOW_MS);
    Sighting busy =
        new Sighting(
            new HostId("h2"), false, idle("b").generation(2).idleFor(0).status(), NOW_MS - 900);

    assertThat(decide(FIVE_MINUTES, view(old, busy))).isEmpty();
    assertThat(decide(FIVE_MINUTES, view(busy, old))).isEmpty();
  }

  @Test
  void noMoreThanTheBoundAtATimeAndTheLongestIdleFirst() {
    List<Sighting> computes = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      computes.add(seen(idle("b" + i).idleFor(IDLE_MS + i)));
    }

    assertThat(branches(decide(FIVE_MINUTES, new View(computes, Map.of(), 1))))
        .containsExactly("b9", "b8", "b7");
    assertThat(decide(FIVE_MINUTES, new View(computes, Map.of(), Decider.MAX_SUSPENDS_IN_FLIGHT)))
        .isEmpty();
  }

  private static List<Decision> decide(SuspendPolicy policy, View view) {
    return Decider.decide(view, policy, NOW_MS);
  }

  private static List<String> branches(List<Decision> decisions) {
    return decisions.stream().map(decision -> decision.branch().value()).toList();
  }

  private static Sighting seen(Computes compute) {
    return new Sighting(HOST, false, compute.status(), NOW_MS - 500);
  }

  private static View view(Sighting... computes) {
    return new View(List.of(computes), Map.of(), 0);
  }
}
