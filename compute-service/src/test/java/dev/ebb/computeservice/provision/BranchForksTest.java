package dev.ebb.computeservice.provision;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.bus.WalMessage.ForkLog;
import dev.ebb.shared.bus.WalMessage.LogForked;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** From which snapshot a branch begins. */
final class BranchForksTest {
  private final World world = new World();
  private final BranchId child = BranchId.random();

  @AfterEach
  void close() {
    world.close();
  }

  private Optional<BranchForks.Fork> fork(BranchPoint at) {
    return world.forks.fork(World.MAIN_ADDRESS, world.main(), child, at);
  }

  private String baseOf(BranchPoint at) {
    return fork(at).orElseThrow().head().manifestKey();
  }

  private static Duration minutes(long minutes) {
    return Duration.ofMinutes(minutes);
  }

  private static BranchPoint ago(Duration ago) {
    return BranchPoint.at(World.NOW.minus(ago));
  }

  private static BranchPoint at(long lsn) {
    return BranchPoint.at(new Lsn(lsn));
  }

  /** What a branch inherits of its parent's history, its parent may have thinned meanwhile. */
  @Test
  void earlierSnapshotIsTakenWhereOneOfTheHistoryIsCollected() {
    Manifest first = world.snapshot("s1", 0x2000, false, minutes(50));
    Manifest second = world.snapshot("s2", 0x3000, false, minutes(40));
    world.head(world.snapshot("s3", 0x4000, false, minutes(30), first, second));
    world.manifests.remove(World.key("s2"));

    assertThat(baseOf(at(0x3800))).isEqualTo(World.key("s1"));
  }

  @Test
  void snapshotThatFellOutOfTheWindowIsNotBegunFrom() {
    Manifest first = world.snapshot("s1", 0x2000, false, Duration.ofDays(9));
    Manifest second = world.snapshot("s2", 0x3000, false, World.WINDOW);
    world.head(world.snapshot("s3", 0x4000, false, minutes(30), first, second));

    assertThatThrownBy(() -> fork(at(0x2800)))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("its earliest point is")
        .hasMessageContaining("(0/3000)");
    assertThat(baseOf(at(0x3800))).isEqualTo(World.key("s2"));
  }

  /** Of a branch that is older than the window its parent has nothing of the time before it. */
  @Test
  void parentIsNamedOnlyWhereABranchsWholeLifeIsInTheWindow() {
    Manifest first = world.snapshot("s1", 0x2000, false, Duration.ofDays(9));
    Manifest second = world.snapshot("s2", 0x3000, false, World.WINDOW);
    world.head(world.snapshot("s3", 0x4000, false, minutes(30), first, second));
    var parent = new BranchId("parent1");

    assertThatThrownBy(() -> fork(began(parent, 0x1000), at(0x2800)))
        .hasMessageContaining("(0/3000)")
        .hasMessageNotContaining("what was before");
    assertThatThrownBy(() -> fork(began(parent, 0x3000), at(0x2800)))
        .hasMessageContaining("what was before is in the branch that it was made from");
  }

  private BranchForks.Fork fork(BranchRecord of, BranchPoint at) {
    return world.forks.fork(World.MAIN_ADDRESS, of, child, at).orElseThrow();
  }

  private static BranchRecord began(BranchId parent, long at) {
    return new BranchRecord(
        World.MAIN, BranchRecord.State.READY, parent, new Lsn(at), World.CREATED_MS, false, 0);
  }

  /** Between the look at the parent's head and the child's head nothing keeps the snapshot. */
  @Test
  void childOfASnapshotThatTheParentLetGoOfMeanwhileIsOfNoUse() {
    Manifest first = world.snapshot("s1", 0x2000, false, minutes(50));
    Manifest second = world.snapshot("s2", 0x3000, false, minutes(40), first);
    world.head(second);
    Manifest third = world.snapshot("s3", 0x4000, false, Duration.ZERO, second);
    world.before =
        request -> {
          if (request instanceof ForkLog) {
            world.commit(third);
          }
        };

    assertThat(fork(at(0x2800))).isEmpty();
    assertThat(world.heads.read(child)).isPresent();
  }

  @Test
  void childOfASnapshotThatIsHistoryByNowIsKept() {
    Manifest first = world.snapshot("s1", 0x2000, false, minutes(50));
    world.head(first);
    Manifest second = world.snapshot("s2", 0x3000, false, Duration.ZERO, first);
    world.before =
        request -> {
          if (request instanceof ForkLog) {
            world.commit(second);
          }
        };

    assertThat(baseOf(at(0x2800))).isEqualTo(World.key("s1"));
  }

  @Test
  void childOfABranchThatIsDroppedMeanwhileIsRefused() {
    world.head(world.snapshot("s1", 0x2000, false, minutes(50)));
    world.before =
        request -> {
          if (request instanceof ForkLog) {
            world.heads.drop(World.MAIN);
          }
        };

    assertThatThrownBy(() -> fork(at(0x2800))).isInstanceOf(EbbException.NotFound.class);
  }

  /**
   * The clock that stamps commits is the compute's, the clock that stamps snapshots the page
   * service's. Behind a clean stop there is no WAL to say that a commit came later.
   */
  @Test
  void cleanSnapshotIsBegunFromOnlyWhereNoClockCanHaveStampedACommitInItLater() {
    Manifest first = world.snapshot("s1", 0x2000, false, minutes(50));
    world.head(world.snapshot("s2", 0x3000, true, minutes(30), first));

    assertThat(baseOf(ago(minutes(30)))).isEqualTo(World.key("s1"));
    assertThat(((ForkLog) world.asked.getLast()).floor()).isEqualTo(new Lsn(0x2000));
    world.heads.drop(child);
    BranchForks.Fork later =
        world
            .forks
            .fork(World.MAIN_ADDRESS, world.main(), BranchId.random(), ago(minutes(29)))
            .orElseThrow();
    assertThat(later.head().manifestKey()).isEqualTo(World.key("s2"));
  }

  /** Nothing of a branch's own is in what it began with: it is in every point of the branch. */
  @Test
  void snapshotThatABranchBeganWithIsBegunFromWhateverItsStamp() {
    Manifest template = world.snapshot("t", World.BEGINS.value(), true, minutes(5));
    world.head(world.snapshot("s1", 0x2000, false, minutes(4), template));

    assertThat(baseOf(ago(minutes(5)))).isEqualTo(World.key("t"));
  }

  @Test
  void snapshotWithACommitBehindTheTimeGivesWayToAnEarlierOne() {
    Manifest first = world.snapshot("s1", 0x2000, false, minutes(50));
    world.head(world.snapshot("s2", 0x3000, false, minutes(30), first));
    world.copying =
        request ->
            request.floor().equals(new Lsn(0x3000))
                ? new LogForked(LogForked.Outcome.BEFORE_FLOOR, Lsn.INVALID, new Lsn(0x4000), 0)
                : new LogForked(LogForked.Outcome.FORKED, new Lsn(0x2F00), new Lsn(0x4000), 0xF00);

    BranchForks.Fork made = fork(ago(minutes(10))).orElseThrow();
    assertThat(made.head().manifestKey()).isEqualTo(World.key("s1"));
    assertThat(made.cut()).isEqualTo(new Lsn(0x2F00));
  }

  /** Before, the template's database was still called otherwise, and nobody could log in. */
  @Test
  void noPointLiesBeforeTheDatabaseAndItsOwner() {
    Manifest template = world.snapshot("t", 0x1000, true, Duration.ofHours(20));
    world.head(world.snapshot("s1", 0x2000, false, minutes(30), template));
    String earliest = Instant.ofEpochMilli(World.CREATED_MS) + " (" + World.BEGINS + ")";

    assertThatThrownBy(() -> fork(at(World.BEGINS.value() - 1)))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("lies outside of the window of shop@main")
        .hasMessageContaining("its earliest point is " + earliest);
    assertThatThrownBy(
            () -> fork(BranchPoint.at(Instant.ofEpochMilli(World.CREATED_MS).minusMillis(1))))
        .hasMessageContaining("its earliest point is " + earliest);
    assertThat(baseOf(at(World.BEGINS.value()))).isEqualTo(World.key("t"));
  }

  @Test
  void childMayHoldPreparedTransactionsWhereThereIsWalToReplay() {
    Manifest clean = world.snapshot("s1", 0x2000, true, minutes(50));
    world.head(clean);
    assertThat(fork(at(0x2000)).orElseThrow().head().inherits()).isFalse();

    world.copying =
        request -> new LogForked(LogForked.Outcome.FORKED, new Lsn(0x2100), new Lsn(0x2100), 0x100);
    BranchForks.Fork replaying =
        world
            .forks
            .fork(World.MAIN_ADDRESS, world.main(), BranchId.random(), at(0x2100))
            .orElseThrow();
    assertThat(replaying.head().inherits()).isTrue();
  }
}
